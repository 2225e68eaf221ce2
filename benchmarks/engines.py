"""Measures what it costs to start work in two processes, and each task: our engine of this machine, and a local Dask.

    .venv/bin/python benchmarks/engines.py     # writes benchmarks/results/engines.md and its table in docs/scaling.md

Each measurement is a process of its own. CPU seconds are those of the process and all that it has started. The tasks do
nothing; they are handed out at once. Takes a minute.
"""

import os
import resource
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from modelyard.core.files import write_text
from modelyard.core.report_text import markdown_table

ROOT = Path(__file__).resolve().parent.parent
RESULT, PAGE = ROOT / "benchmarks" / "results" / "engines.md", ROOT / "docs" / "scaling.md"
BEGIN, END = "<!-- engines -->", "<!-- end of engines -->"
WORKERS, TASKS, ROUNDS = 2, 300, 3
COLUMNS = ["engine", "s to the first result", "CPU s of start and end", "ms / task", "CPU ms / task"]


def ours(tasks: int) -> float:
    """Do some tasks, and return when the first one had ended."""
    from modelyard.orchestration.engine import Call, Task, run_all
    from modelyard.orchestration.local_engine import LocalEngine

    with closing(LocalEngine(WORKERS)) as engine:
        ends = [time.perf_counter() for _ in run_all(engine, (Task(str(n), Call(abs, -n)) for n in range(tasks)), 600)]
    return ends[0]


def dask(tasks: int) -> float:
    """Do some tasks, and return when the first one had ended."""
    from distributed import Client, LocalCluster, as_completed

    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        ends = [time.perf_counter() for _ in as_completed(client.map(abs, range(-tasks, 0), pure=False))]
    return ends[0]


ENGINES = {"`LocalEngine`": ours, "`distributed.LocalCluster`": dask}


def measured(engine: str, tasks: int) -> tuple[float, float, float]:
    """Seconds to the first result, seconds in all and CPU seconds of a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, engine, str(tasks)], check=True, capture_output=True, text=True, cwd=ROOT
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(done.stdout), seconds, cpu


def row(engine: str) -> tuple[str, ...]:
    """The best of some rounds, which other programs disturb least."""
    few = [min(values) for values in zip(*(measured(engine, 1) for _ in range(ROUNDS)), strict=True)]
    many = [min(values) for values in zip(*(measured(engine, TASKS) for _ in range(ROUNDS)), strict=True)]
    seconds, cpu = ((many[i] - few[i]) / (TASKS - 1) * 1000 for i in (1, 2))
    return engine, f"{few[0]:.1f}", f"{few[2]:.1f}", f"{max(0, seconds):.1f}", f"{max(0, cpu):.1f}"


def main() -> None:
    """Measure both, and write the table."""
    load = os.getloadavg()[0]
    rows = [row(engine) for engine in ENGINES]
    from importlib.metadata import version

    setup = f"{os.cpu_count()} cores, load average {load:.1f} before; Python {sys.version.split()[0]}, distributed "
    result = f"{setup}{version('distributed')}; best of {ROUNDS}.\n\n{markdown_table(COLUMNS, rows)}\n"
    print(result)
    write_text(RESULT, result)
    before, after = PAGE.read_text(encoding="utf-8").split(BEGIN)
    write_text(PAGE, f"{before}{BEGIN}\n{result}{END}{after.partition(END)[2]}")


if __name__ == "__main__":
    if sys.argv[1:]:
        start = time.perf_counter()
        print(ENGINES[sys.argv[1]](int(sys.argv[2])) - start)
    else:
        main()
