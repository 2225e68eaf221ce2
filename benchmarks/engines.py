"""Measures what it costs to start work in two processes, and each task: our engine of this machine, and a local Dask.

    .venv/bin/python -m benchmarks.engines     # writes benchmarks/results/engines.md and its tables in docs/scaling.md

Each measurement is a process of its own. CPU seconds are those of the process and all that it has started. The tasks do
nothing; they are handed out at once. The second table has the tasks of `--scheduler` on a cluster of this machine: its
workers have a checkout of their own. The third has whole commands, from their start to their end, in a small project of
the last commit, whose folder the workers share. Takes six minutes.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]  # for tests/support

from support.clusters import cluster

from benchmarks.project_clone import ProjectClone, clone_project, command_environment, keep_only
from modelyard.core.files import write_text
from modelyard.core.report_text import fill, markdown_table

RESULT, PAGE = ROOT / "benchmarks" / "results" / "engines.md", ROOT / "docs" / "scaling.md"
BEGIN, END = "<!-- engines -->", "<!-- end of engines -->"
WORKERS, TASKS, ROUNDS = 2, 300, 3
CLUSTER_WORKERS, CLUSTER_TASKS = (1, 2, 4), 500
CLUSTER_COLUMNS = ["workers", "tasks / s", "ms / task"]
EXPERIMENT, COPIES, SEEDS, TRIALS = "diabetes_mlp_standard", 8, 40, 40
COMMANDS = {  # what each does, how many of these, and what it leaves
    "stages": (("run",), 3 * COPIES, ("results", "dvc.lock", ".dvc/cache", ".dvc/tmp")),
    "seeds": (("replicate", "copy1", "--seeds", str(SEEDS)), SEEDS, (".modelyard",)),
    "trials": (("tune", "copy1"), TRIALS, (".modelyard",)),
}
COMMAND_COLUMNS = ["command", "at once", "this machine, s", "cluster, s", "this machine, / s", "cluster, / s"]
COLUMNS = ["engine", "s to the first result", "CPU s of start and end", "ms / task", "CPU ms / task"]


def ours(tasks: int) -> list[float]:
    """Do some tasks, and return when each had ended."""
    from modelyard.orchestration.engine import Call, Task, run_all
    from modelyard.orchestration.local_engine import LocalEngine

    with closing(LocalEngine(WORKERS)) as engine:
        return [time.perf_counter() for _ in run_all(engine, (Task(str(n), Call(abs, -n)) for n in range(tasks)), 600)]


def dask(tasks: int) -> list[float]:
    """Do some tasks, and return when each had ended."""
    from distributed import Client, LocalCluster, as_completed

    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        return [time.perf_counter() for _ in as_completed(client.map(abs, range(-tasks, 0), pure=False))]


ENGINES = {"`LocalEngine`": ours, "`distributed.LocalCluster`": dask}


def measured(engine: str, tasks: int) -> tuple[float, float, float]:
    """Seconds to the first result, from there to the last one, and CPU seconds of a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.engines", engine, str(tasks)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    first, last = map(float, done.stdout.split())
    return first, last - first, cpu


def row(engine: str) -> tuple[str, ...]:
    """The best of some rounds, which other programs disturb least."""
    few = [min(values) for values in zip(*(measured(engine, 1) for _ in range(ROUNDS)), strict=True)]
    many = [min(values) for values in zip(*(measured(engine, TASKS) for _ in range(ROUNDS)), strict=True)]
    seconds, cpu = many[1] / (TASKS - 1), (many[2] - few[2]) / (TASKS - 1)
    return engine, f"{few[0]:.1f}", f"{few[2]:.1f}", f"{1000 * seconds:.1f}", f"{1000 * cpu:.1f}"


def cluster_rows(folder: Path) -> list[tuple[str, ...]]:
    """The tasks per second that a cluster does, from the end of the first task on each number of workers."""
    from modelyard.orchestration.cluster_engine import ClusterEngine, ClusterOptions
    from modelyard.orchestration.engine import Call, Task, run_all

    git = ["git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    project, other = folder / "project", folder / "other"
    subprocess.run([*git, "init", "-q", project], check=True)
    for command in (["dvc", "init", "-q"], ["dvc", "remote", "add", "-q", "-d", "team", str(folder / "remote")]):
        subprocess.run([sys.executable, "-m", *command], cwd=project, check=True)
    for command in (["add", "-A"], ["commit", "-qm", "project"], ["clone", "-q", project, other]):
        subprocess.run([*git, *command], cwd=project, check=True)
    os.chdir(project)
    rows = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[:2])}
    with cluster(folder / "cluster", environment) as started:
        for workers in range(1, max(CLUSTER_WORKERS) + 1):
            started.start_worker(other, f"worker{workers}", "--no-nanny")
            if workers in CLUSTER_WORKERS:
                with closing(ClusterEngine(project, ClusterOptions(started.address), 1, print)) as engine:
                    for count in (20, CLUSTER_TASKS):  # the first ones start a process in each worker
                        tasks = (Task(f"{workers}-{count}-{n}", Call(abs, -n)) for n in range(count))
                        start = time.perf_counter()
                        ended = sum(1 for _ in run_all(engine, tasks, 600))
                rate = ended / (time.perf_counter() - start)
                rows.append((str(workers), f"{rate:.1f}", f"{1000 / rate:.0f}"))
    return rows


def command_rows() -> Iterator[tuple[str, ...]]:
    """The seconds of whole commands on this machine, and on a cluster with as many workers as tasks at once."""
    with clone_project(small_project) as clone:
        clone.run("modelyard", "run")  # fetches, and imports everything once
        with cluster(clone.root.parent / "cluster", command_environment()) as started:
            for workers in CLUSTER_WORKERS:
                while len(started.processes) < workers:
                    name = f"worker{len(started.processes) + 1}"
                    started.start_worker(clone.root, name, "--no-nanny", PYTHONPATH=str(clone.root / "src"))
                for name, (arguments, count, left) in COMMANDS.items():
                    here = seconds(clone, left, *arguments, "--jobs", str(workers))
                    there = seconds(clone, left, *arguments, "--scheduler", started.address)
                    rates = (f"{count / each:.2f}" for each in (here, there))
                    yield f"{' '.join(arguments)}: {count} {name}", str(workers), f"{here:.1f}", f"{there:.1f}", *rates


def small_project(params: dict[str, Any]) -> None:
    """Copies of one experiment, whose trainings take about a second, and a study of it."""
    keep_only(params, [EXPERIMENT])
    kept = params["experiments"].pop(EXPERIMENT)
    model = {"family": "boosting", "n_estimators": 200}
    entry = {"input": kept["input"], "model": model, "training": {"seed": 7}}
    params["experiments"] = {f"copy{number}": entry for number in range(1, COPIES + 1)}
    vary = {"model.n_estimators": {"low": 50, "high": 400}}
    params["studies"] = {
        "copy1": {"experiment": "copy1", "search_space": vary, "n_trials": TRIALS, "folds": 3, "seed": 7}
    }


def seconds(clone: ProjectClone, left: tuple[str, ...], *arguments: str) -> float:
    """The seconds of a command, without what an earlier one has left."""
    for name in left:
        path = clone.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return clone.run("modelyard", *arguments).wall_seconds


def main() -> None:
    """Measure all, and write the tables."""
    load = os.getloadavg()[0]
    rows = [row(engine) for engine in ENGINES]
    from importlib.metadata import version

    setup = f"{os.cpu_count()} cores, load average {load:.1f} before; Python {sys.version.split()[0]}, distributed "
    result = f"{setup}{version('distributed')}; best of {ROUNDS}.\n\n{markdown_table(COLUMNS, rows)}\n"
    with tempfile.TemporaryDirectory() as folder:
        result += f"\n{markdown_table(CLUSTER_COLUMNS, cluster_rows(Path(folder)))}\n"
    result += f"\n{markdown_table(COMMAND_COLUMNS, list(command_rows()))}\n"
    print(result)
    write_text(RESULT, result)
    fill(PAGE, result.removesuffix("\n"), BEGIN, END)


if __name__ == "__main__":
    if sys.argv[1:]:
        start = time.perf_counter()
        ended = ENGINES[sys.argv[1]](int(sys.argv[2]))
        print(ended[0] - start, ended[-1] - start)
    else:
        main()
