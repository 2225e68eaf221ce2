"""A temporary clone of this project in which settings are changed and commands are measured."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from benchmarks.processes import Usage, run_measured
from modelyard.core.files import read_json
from modelyard.orchestration.scheduler import TIMES
from modelyard.params.project import EXPERIMENT_SECTIONS

ROOT = Path(__file__).resolve().parent.parent
FIT_TIMER = ROOT / "benchmarks" / "notebooks" / "fit_timer.py"
GIT_IDENTITY = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
KEPT_SECTIONS = {"fetch", "runtime", "datasets", "inputs", "experiments"}  # keep_only empties the others
BUILD_OUTPUTS = ("dvc.lock", "results", "reports")
REMOVED_PREFIXES = ("MODELYARD", "MLFLOW", "DVC", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "BENCHMARK")

Params = dict[str, Any]


@dataclass(frozen=True)
class ProjectClone:
    """The clone, the commands run in it and their results."""

    root: Path

    def run(self, *command: str) -> Usage:
        """Measure a command of this environment that runs in the clone with the clone's code."""
        return run_measured(command, self.root, self._environment(), self.log)

    @property
    def log(self) -> Path:
        """The output of the last command."""
        return self.root.parent / "output.log"

    @property
    def raw(self) -> Path:
        """The folder of the raw files."""
        return self.root / "data" / "raw"

    def fetch(self, datasets: Collection[str]) -> None:
        """Fetch raw files."""
        self.run("dvc", "repro", "--quiet", *(f"fetch@{name}" for name in sorted(datasets)))

    def create_tracking_database(self) -> None:
        """Let MLflow create its database, which takes seconds once, by building the smallest experiment."""
        self.run("modelyard", "run", "xor_mlp")

    def fits(self) -> dict[str, dict[str, Any]]:
        """What fit_timer logged of each fit, by experiment."""
        return {line.pop("of"): line for line in read_json_lines(self._records_file)}

    def stage_seconds(self) -> dict[str, float]:
        """Seconds of each stage, as stored by `modelyard run`."""
        return read_json(self.root / TIMES)

    def metrics(self, experiment: str) -> dict[str, Any]:
        """An experiment's metrics on the test samples, and their confidence intervals."""
        results = self.root / "results" / experiment
        return {"metrics": read_json(results / "metrics.json")} | {
            "intervals": read_json(results / "details.json")["intervals"]
        }

    def lock(self) -> Params:
        """The stages of dvc.lock as a mapping; their order in the file depends on when they ended."""
        return YAML(typ="safe").load(self.root / "dvc.lock")["stages"]

    def rewrite(self, name: str, change: Callable[[Params], None]) -> None:
        """Apply a change to the content of a YAML file."""
        content = YAML(typ="safe").load(self.root / name)
        change(content)
        with (self.root / name).open("w") as file:
            writer = YAML()
            # Without it, equal entries would be written as aliases of each other.
            writer.representer.ignore_aliases = lambda _: True
            writer.dump(content, file)

    def reduce_to_experiments(self) -> None:
        """Drop the claims, and the published values of experiments that params.yaml no longer has."""
        (self.root / "claims.yaml").unlink(missing_ok=True)
        params = YAML(typ="safe").load(self.root / "params.yaml")
        names = {name for section in EXPERIMENT_SECTIONS for name in params.get(section) or {}}

        def change(published: Params) -> None:
            for name in published.keys() - names:
                del published[name]

        if (self.root / "published.yaml").exists():
            self.rewrite("published.yaml", change)

    @property
    def _records_file(self) -> Path:
        return self.root.parent / "benchmark.jsonl"

    def _environment(self) -> dict[str, str]:
        return command_environment() | {"PYTHONPATH": str(self.root / "src"), "BENCHMARK_LOG": str(self._records_file)}


@contextmanager
def clone_project(change: Callable[[Params], None]) -> Iterator[ProjectClone]:
    """A clone of the last commit without results, with changed params.yaml and with fit_timer in its train stage."""
    with TemporaryDirectory(prefix="modelyard-benchmark-") as folder:
        clone = ProjectClone(Path(folder) / "clone")
        git("clone", "--quiet", str(ROOT), str(clone.root), folder=ROOT)
        for name in BUILD_OUTPUTS:
            path = clone.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        clone.rewrite("params.yaml", lambda params: (_prepare(params), change(params)))
        clone.reduce_to_experiments()
        shutil.copy(FIT_TIMER, clone.root / "src")
        train = clone.root / "pipeline" / "train.py"
        train.write_text(train.read_text().replace("import typer\n", "import fit_timer  # noqa: F401\nimport typer\n"))
        git("add", "--all", folder=clone.root)
        git(*GIT_IDENTITY, "commit", "--quiet", "--message", "Benchmark", folder=clone.root)
        yield clone


def command_environment() -> dict[str, str]:
    """The environment of a measured command: this Python first on PATH, no variables that change its work."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED_PREFIXES)}
    mirror = {name: os.environ[name] for name in ("MODELYARD_MIRROR",) if name in os.environ}
    return inherited | mirror | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file with one JSON object per line; an empty list if it does not exist."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def git(*arguments: str, folder: Path) -> str:
    """Run git; returns its output."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def datasets_of(params: Params, experiments: Collection[str]) -> set[str]:
    """The data sets used by some experiments."""
    return {params["inputs"][params["experiments"][name]["input"]]["dataset"] for name in experiments}


def keep_only(params: Params, experiments: Collection[str]) -> None:
    """Remove everything from params.yaml that these experiments do not need."""
    for section in params.keys() - KEPT_SECTIONS:
        params[section] = {}
    selected = {name: params["experiments"][name] for name in experiments}
    inputs = {name: params["inputs"][name] for name in {entry["input"] for entry in selected.values()}}
    used = {entry["dataset"] for entry in inputs.values()}
    params |= {"experiments": selected, "inputs": inputs}
    params["datasets"] = {name: entry for name, entry in params["datasets"].items() if name in used}


def _prepare(params: Params) -> None:
    """Remove the studies, and make mirrors absolute: they are relative to this project, not to the clone."""
    params |= {"studies": {}}
    mirrors = params["fetch"]["mirrors"]
    params["fetch"]["mirrors"] = [each if "://" in each else str((ROOT / each).resolve()) for each in mirrors]
