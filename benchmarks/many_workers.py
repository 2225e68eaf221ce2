"""How many trials several machines' searches get done on one PostgreSQL, and what each costs the database.

Each worker here is what `modelyard tune STUDY --join --workers 1` is on a machine of its own: a search and its worker
process. Cheap trials, of some milliseconds, show what Optuna, the search and the database need for themselves; long
ones show what a search costs the database while it waits. Takes about five minutes:

    .venv/bin/python benchmarks/many_workers.py     # writes benchmarks/results/many_workers.md and docs/scaling.md

needs Debian's postgresql, and starts a server of its own with its usual settings, fsync included.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

import optuna
import psutil
import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # where the server and the rows come from

import made_up_search  # noqa: E402
import postgresql  # noqa: E402

from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.config import changed
from modelyard.core.files import write_text
from modelyard.core.markdown import markdown_table
from modelyard.params.study import Range
from modelyard.tuning.opening import take_up
from modelyard.tuning.plan import Plan
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import Place

RESULT = ROOT / "benchmarks" / "results" / "many_workers.md"
PAGE, BEGIN, END = ROOT / "docs" / "scaling.md", "<!-- results -->", "<!-- end -->"
SPAWN = multiprocessing.get_context("spawn")
LOOK_SECONDS = 0.25
PATIENCE = 300.0  # seconds for one measurement
COLUMNS = (
    "trials",
    "workers",
    "trials / s",
    "s / trial",
    "of them worked",
    "database ms / trial",
    "database, % of a core",
    "transactions / trial",
    "transactions / s",
    "connections",
)


class Kind(NamedTuple):
    """A kind of trial: how many trees are grown, and how many trials are counted."""

    name: str
    trees: Range
    counted: int


CHEAP = Kind("cheap", Range(low=1, high=20), 100)
LONG = Kind("long", Range(low=3000, high=3200), 6)
MEASURED = [(CHEAP, 1), (CHEAP, 2), (CHEAP, 4), (LONG, 1), (LONG, 2)]


@dataclass(frozen=True)
class Reading:
    """What a database has done so far, and its clients; times are processor time in seconds."""

    at: float
    finished: int
    workers: int
    transactions: int
    busy: float
    connections: int
    worked: float


class Database:
    """A database's own account of itself; what asking costs is taken off. `machines` are its clients."""

    def __init__(self, address: str, machines: list[SpawnProcess]) -> None:
        self._machines = machines
        self._connection = psycopg.connect(address.replace("+psycopg", ""), autocommit=True)
        self._asked = 0

    def read(self) -> Reading:
        """Ask now."""
        self._asked += 4
        (finished,) = self._ask("SELECT count(*) FROM trials WHERE state = 'COMPLETE'")
        (workers,) = self._ask("SELECT count(DISTINCT value_json) FROM trial_user_attributes WHERE key = 'worker'")
        (done,) = self._ask(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
        processes = self._connection.execute(
            "SELECT pid, backend_type = 'client backend' FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        ).fetchall()
        connections = sum(is_client for _, is_client in processes)
        busy = _seconds_of([pid for pid, _ in processes])
        worked = sum(_seconds_of([each.pid, *_started_by(each.pid)]) for each in self._machines)
        return Reading(time.monotonic(), finished, workers, done - self._asked, busy, connections, worked)

    def _ask(self, question: str) -> tuple:
        return self._connection.execute(question).fetchone()


def _started_by(pid: int) -> list[int]:
    return [each.pid for each in psutil.Process(pid).children(recursive=True)]


def _seconds_of(processes: list[int]) -> float:
    """The processor time that these processes have had."""
    total = 0.0
    for pid in processes:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def search(address: str, plan: Plan) -> None:
    """The life of one machine: join the study and search until stopped."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = Place(address)
    with suppress(KeyboardInterrupt):
        study = take_up(plan, place, join=True)
        Search(study, place, plan, lambda workers, ended: None).run(1, Budget(sys.maxsize), joined=True)


@contextmanager
def searching(address: str, plan: Plan, count: int) -> Iterator[list[SpawnProcess]]:
    """So many machines, for the block."""
    machines = [SPAWN.Process(target=search, args=(address, plan)) for _ in range(count)]
    for machine in machines:
        machine.start()
    try:
        yield machines
    finally:
        for machine in machines:
            os.kill(machine.pid, signal.SIGINT)
        for machine in machines:
            machine.join(30)
            machine.kill()


def wait_until(holds: Callable[[Reading], bool], database: Database) -> Reading:
    """The first reading of which this holds."""
    until = time.monotonic() + PATIENCE
    while not holds(found := database.read()):
        if time.monotonic() > until:
            raise SystemExit(f"after {PATIENCE:.0f} s there are only {found}")
        time.sleep(LOOK_SECONDS)
    return found


def measure(address: str, kind: Kind, workers: int, folder: Path) -> tuple[str, ...]:
    """A line of the table: so many workers on a study of this kind."""
    # The rate is no whole number, so that no trial repeats another and takes over its score.
    varied = {"model.trees": kind.trees, "model.learning_rate": Range(low=0.05, high=0.2)}
    experiment = changed(made_up_search.EXPERIMENT, {"model.trees": kind.trees.low})
    plan = made_up_search.plan(folder, experiment, vary=varied)
    take_up(plan, Place(address))
    with searching(address, plan, workers) as machines:
        database = Database(address, machines)
        first = wait_until(lambda each: each.workers >= workers and each.finished >= workers, database)
        last = wait_until(lambda each: each.finished >= first.finished + kind.counted, database)
    return kind.name, str(workers), *figures(first, last, workers)


def figures(first: Reading, last: Reading, workers: int) -> Iterator[str]:
    """What happened between two readings, in the order of COLUMNS."""
    seconds, trials = last.at - first.at, last.finished - first.finished
    transactions, busy = last.transactions - first.transactions, last.busy - first.busy
    yield f"{trials / seconds:.2f}"
    yield f"{workers * seconds / trials:.2f}"
    yield f"{(last.worked - first.worked) / trials:.2f}"
    yield f"{1000 * busy / trials:.0f}"
    yield f"{100 * busy / seconds:.1f}"
    yield f"{transactions / trials:.0f}"
    yield f"{transactions / seconds:.0f}"
    yield str(last.connections)


def main() -> None:
    """BoundMetric each kind with each number of workers, and write the table."""
    handle_termination_as_ctrl_c()  # else a server would be left behind
    programs = postgresql.installed() or sys.exit(postgresql.MISSING)
    lines, load = [], os.getloadavg()[1]
    with tempfile.TemporaryDirectory() as folder, postgresql.serving(programs) as port:
        made_up_search.save_rows(Path(folder))
        for kind, workers in MEASURED:
            lines.append(measure(postgresql.fresh_database(programs, port), kind, workers, Path(folder)))
            print(*lines[-1], sep="\t", flush=True)
    version = f"Python {sys.version.split()[0]}, Optuna {optuna.__version__}, PostgreSQL {programs.parent.name}"
    told = f"{os.cpu_count()} cores for all of it, with a load of {load:.1f} from other work; {version}."
    put_down(f"{told}\n\n{markdown_table(COLUMNS, lines)}\n")


def put_down(result: str) -> None:
    """Write the result into its file and into the page that shows it."""
    write_text(RESULT, result)
    before, after = PAGE.read_text(encoding="utf-8").split(BEGIN)
    write_text(PAGE, f"{before}{BEGIN}\n{result}{END}{after.partition(END)[2]}")


if __name__ == "__main__":
    main()
