"""A clone of this project in a folder that passes, where settings are changed and commands are measured."""

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

from benchmarks.processes import Usage, measured
from modelyard.core.files import read_json
from modelyard.orchestration.scheduler import TIMES

ROOT = Path(__file__).resolve().parent.parent
STOPWATCH = ROOT / "benchmarks" / "notebooks" / "stopwatch.py"
NOBODY = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
KEPT = {"fetch", "runtime", "datasets", "inputs", "experiments"}  # of params.yaml, for a part of the experiments
BUILT = ("dvc.lock", "results", "reports")
SHARED_NAMES = ("MODELYARD", "MLFLOW", "DVC", "PYTHONPATH", "BENCHMARK")

Params = dict[str, Any]


@dataclass(frozen=True)
class Playground:
    """The clone, and what can be asked of it."""

    root: Path

    def run(self, *command: str) -> Usage:
        """Run a command of this environment in the clone, with the clone's own code, and measure it."""
        return measured(command, self.root, self._environment(), self.log)

    @property
    def log(self) -> Path:
        """What the last command said."""
        return self.root.parent / "said.log"

    def fetch(self, datasets: Collection[str]) -> Path:
        """Bring raw files; returns their folder."""
        self.run("dvc", "repro", "--quiet", *(f"fetch@{name}" for name in sorted(datasets)))
        return self.root / "data" / "raw"

    def begin_diary(self) -> None:
        """Have MLflow make its database, which takes seconds once, by building the smallest experiment."""
        self.run("modelyard", "run", "xor_mlp")

    def fits(self) -> dict[str, dict[str, float]]:
        """The seconds within keras.Model.fit, and the epochs, by experiment."""
        return {line.pop("of"): line for line in notes(self._notes)}

    def stage_seconds(self) -> dict[str, float]:
        """How long each stage took, as the runner remembers."""
        return read_json(self.root / TIMES)

    def figures(self, experiment: str) -> dict[str, Any]:
        """An experiment's metrics on the test rows, and their intervals."""
        results = self.root / "results" / experiment
        return {"metrics": read_json(results / "metrics.json")} | {
            "intervals": read_json(results / "details.json")["intervals"]
        }

    def lock(self) -> Params:
        """What DVC locked, as values: the order of stages is that of their ends."""
        return YAML(typ="safe").load(self.root / "dvc.lock")["stages"]

    def rewrite(self, name: str, change: Callable[[Params], None]) -> None:
        """Change the content of a YAML file."""
        content = YAML(typ="safe").load(self.root / name)
        change(content)
        with (self.root / name).open("w") as file:
            writer = YAML()
            writer.representer.ignore_aliases = lambda value: True  # entries that are equal stand there in full
            writer.dump(content, file)

    @property
    def _notes(self) -> Path:
        return self.root.parent / "notes.jsonl"

    def _environment(self) -> dict[str, str]:
        return surroundings() | {"PYTHONPATH": str(self.root / "src"), "BENCHMARK_NOTES": str(self._notes)}


@contextmanager
def playground(change: Callable[[Params], None]) -> Iterator[Playground]:
    """Lend a clone of the last commit, nothing of it built yet, with changed params and a stopwatch in its training."""
    with TemporaryDirectory(prefix="modelyard-benchmark-") as folder:
        place = Playground(Path(folder) / "clone")
        git("clone", "--quiet", str(ROOT), str(place.root), folder=ROOT)
        for name in BUILT:
            path = place.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        place.rewrite("params.yaml", lambda params: (_make_ready(params), change(params)))
        shutil.copy(STOPWATCH, place.root / "src")
        train = place.root / "pipeline" / "train.py"
        train.write_text(train.read_text().replace("import typer\n", "import stopwatch  # noqa: F401\nimport typer\n"))
        git("add", "--all", folder=place.root)
        git(*NOBODY, "commit", "--quiet", "--message", "What is measured", folder=place.root)
        yield place


def surroundings() -> dict[str, str]:
    """The environment of a measured command: this Python first on the path, nothing that would change its work."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SHARED_NAMES)}
    mirror = {name: os.environ[name] for name in ("MODELYARD_MIRROR",) if name in os.environ}
    return kept | mirror | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def notes(path: Path) -> list[dict[str, Any]]:
    """What was noted, line by line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def git(*arguments: str, folder: Path) -> str:
    """Run git; returns what it says."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def datasets_of(params: Params, experiments: Collection[str]) -> set[str]:
    """The data sets that some experiments learn from."""
    return {params["inputs"][params["experiments"][name]["input"]]["dataset"] for name in experiments}


def only(params: Params, experiments: Collection[str]) -> None:
    """Leave these experiments, and what they need."""
    for section in params.keys() - KEPT:
        params[section] = {}
    kept = {name: params["experiments"][name] for name in experiments}
    inputs = {name: params["inputs"][name] for name in {entry["input"] for entry in kept.values()}}
    used = {entry["dataset"] for entry in inputs.values()}
    params |= {"experiments": kept, "inputs": inputs}
    params["datasets"] = {name: entry for name, entry in params["datasets"].items() if name in used}


def _make_ready(params: Params) -> None:
    """Mirrors are named from this project's folder, and the clone lies elsewhere; searches and claims are not run."""
    params |= {"studies": {}, "claims": {}}
    named = params["fetch"]["mirrors"]
    params["fetch"]["mirrors"] = [each if "://" in each else str((ROOT / each).resolve()) for each in named]
