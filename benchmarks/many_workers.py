"""Measures trials per second and database load when several workers share one study in PostgreSQL.

    .venv/bin/python -m benchmarks.many_workers     # writes benchmarks/results/many_workers.md and docs/scaling.md

Each worker is what `modelyard tune STUDY --join --workers 1` starts on one machine: a search and its worker process.
Cheap trials of some milliseconds show the cost of Optuna, the search and the database; long ones show the load on the
database while workers train. Needs Debian's postgresql, and starts a server with default settings (fsync on). Takes
about five minutes.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

import optuna
import psutil
import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # for tests/support

from support import postgresql, searches

from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.config import with_changes
from modelyard.core.files import write_text
from modelyard.core.report_text import fill, markdown_table
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.params.study import Range
from modelyard.tuning.plan import Plan
from modelyard.tuning.search import Budget, Search
from modelyard.tuning.storage import StudyStorage, open_study

RESULT = ROOT / "benchmarks" / "results" / "many_workers.md"
PAGE = ROOT / "docs" / "scaling.md"
SPAWN = multiprocessing.get_context("spawn")
POLL_SECONDS = 0.25
TIMEOUT_SECONDS = 300.0  # of one measurement
COLUMNS = (
    "trials",
    "workers",
    "trials / s",
    "s / trial",
    "CPU s / trial",
    "database ms / trial",
    "database, % of a core",
    "transactions / trial",
    "transactions / s",
    "connections",
)


class Kind(NamedTuple):
    """A kind of trial: the number of trees to fit, and the number of trials to measure."""

    name: str
    trees: Range
    counted: int


CHEAP = Kind("cheap", Range(low=1, high=20), 100)
LONG = Kind("long", Range(low=3000, high=3200), 6)
MEASURED = [(CHEAP, 1), (CHEAP, 2), (CHEAP, 4), (LONG, 1), (LONG, 2)]


@dataclass(frozen=True)
class Reading:
    """Counters of a database and its clients; `busy` and `worked` are CPU seconds of the database and the workers."""

    at: float
    finished: int
    workers: int
    transactions: int
    busy: float
    connections: int
    worked: float


class Database:
    """Reads a database's counters without counting its own queries; `machines` are the database's clients."""

    def __init__(self, address: str, machines: list[SpawnProcess]) -> None:
        self._machines = machines
        self._connection = psycopg.connect(address.replace("+psycopg", ""), autocommit=True)
        self._queries = 0

    def read(self) -> Reading:
        """Read the counters now."""
        self._queries += 4
        (finished,) = self._query("SELECT count(*) FROM trials WHERE state = 'COMPLETE'")
        (workers,) = self._query("SELECT count(DISTINCT value_json) FROM trial_user_attributes WHERE key = 'worker'")
        (done,) = self._query(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
        processes = self._connection.execute(
            "SELECT pid, backend_type = 'client backend' FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        ).fetchall()
        connections = sum(is_client for _, is_client in processes)
        busy = _cpu_seconds([pid for pid, _ in processes])
        worked = sum(_cpu_seconds([machine.pid, *_child_processes(machine.pid)]) for machine in self._machines)
        return Reading(time.monotonic(), finished, workers, done - self._queries, busy, connections, worked)

    def _query(self, query: str) -> tuple:
        return self._connection.execute(query).fetchone()


def _child_processes(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _cpu_seconds(processes: list[int]) -> float:
    """The CPU time used by these processes."""
    total = 0.0
    for pid in processes:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def search(address: str, plan: Plan) -> None:
    """What one machine does: join the study and search until stopped."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    storage = StudyStorage(address)
    with suppress(KeyboardInterrupt), closing(LocalEngine(1)) as engine:
        study = open_study(plan, storage, join=True)
        Search(study, storage, plan, lambda *_: None).run(engine, Budget(sys.maxsize), joined=True)


@contextmanager
def running_machines(address: str, plan: Plan, count: int) -> Iterator[list[SpawnProcess]]:
    """Run the search on `count` simulated machines during the block."""
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


def wait_until(condition: Callable[[Reading], bool], database: Database) -> Reading:
    """Return the first reading that satisfies the condition."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition(reading := database.read()):
        if time.monotonic() > deadline:
            raise SystemExit(f"timeout after {TIMEOUT_SECONDS:.0f} s; last reading: {reading}")
        time.sleep(POLL_SECONDS)
    return reading


def measure(address: str, kind: Kind, workers: int, folder: Path) -> tuple[str, ...]:
    """Measure a number of workers on a study of this kind; returns a row of the table."""
    # A continuous learning rate keeps trials from repeating each other, which would reuse a score without training.
    varied = {"model.n_estimators": kind.trees, "model.learning_rate": Range(low=0.05, high=0.2)}
    experiment = with_changes(searches.EXPERIMENT, {"model.n_estimators": kind.trees.low})
    plan = searches.plan(folder, experiment, search_space=varied)
    open_study(plan, StudyStorage(address))
    with running_machines(address, plan, workers) as machines:
        database = Database(address, machines)
        first = wait_until(lambda reading: reading.workers >= workers and reading.finished >= workers, database)
        last = wait_until(lambda reading: reading.finished >= first.finished + kind.counted, database)
    return kind.name, str(workers), *columns(first, last, workers)


def columns(first: Reading, last: Reading, workers: int) -> Iterator[str]:
    """The differences between two readings, in the order of COLUMNS."""
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
    """Measure each kind with each number of workers, and write the table."""
    handle_termination_as_ctrl_c()  # so that the server is stopped
    programs = postgresql.installed() or sys.exit(postgresql.MISSING)
    rows, load = [], os.getloadavg()[1]
    with tempfile.TemporaryDirectory() as folder, postgresql.serving(programs) as port:
        searches.save_rows(Path(folder))
        for kind, workers in MEASURED:
            rows.append(measure(postgresql.fresh_database(programs, port), kind, workers, Path(folder)))
            print(*rows[-1], sep="\t", flush=True)
    version = f"Python {sys.version.split()[0]}, Optuna {optuna.__version__}, PostgreSQL {programs.parent.name}"
    setup = f"{os.cpu_count()} cores for workers and database, load average {load:.1f} before; {version}."
    write_results(f"{setup}\n\n{markdown_table(COLUMNS, rows)}\n")


def write_results(result: str) -> None:
    """Write the results into their file and into docs/scaling.md."""
    write_text(RESULT, result)
    fill(PAGE, result.removesuffix("\n"))


if __name__ == "__main__":
    main()
