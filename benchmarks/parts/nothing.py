"""Measures `modelyard run` and `dvc repro` in projects that are up to date: copies of one experiment, and this one."""

import json
import re
import shutil
from collections.abc import Collection, Iterator
from typing import Any

from benchmarks.project_clone import Params, ProjectClone, clone_project, keep_only
from benchmarks.sizes import Size
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json

EXPERIMENT = "xor_mlp"
WHOLE = "all"
COMMANDS = {"modelyard run": ("modelyard", "run"), "dvc repro": ("dvc", "repro", "--quiet")}
SHORT_ROWS = 1000  # training samples of inputs with predefined test samples


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each number of experiments, and this project: its stages, wall and CPU seconds of both commands in turns."""
    remaining = [count for count in size.copies if str(count) not in done]
    if remaining:
        with clone_project(lambda params: keep_only(params, [EXPERIMENT])) as clone:
            clone.run("modelyard", "run")
            for count in sorted(remaining):
                copy(clone, count)
                clone.run("modelyard", "run")  # updates the comparison
                yield str(count), _times(clone, size.repeats)
    if size.whole_project and WHOLE not in done:
        with clone_project(shorten) as clone:
            clone.run("modelyard", "run", "--strict")
            yield WHOLE, _times(clone, size.repeats)


def shorten(params: Params) -> None:
    """Shorten all trainings; leave out networks with downloaded weights, which a plain `dvc repro` does not run."""
    params |= {"backbones": {}, "pretrained": {}}
    for entry in (*params["experiments"].values(), *params["transfers"].values()):
        if "epochs" in entry["training"]:
            entry["training"]["epochs"] = 1
            entry["training"].pop("schedule", None)  # its warm-up would be longer than the training
    for entry in params["inputs"].values():
        if entry["split"]["test"] == "predefined":
            entry["split"]["first"] = min(SHORT_ROWS, entry["split"].get("first", SHORT_ROWS))


def copy(clone: ProjectClone, count: int) -> None:
    """Copy the built experiment until the project has `count` of them, all up to date."""
    names = [f"{EXPERIMENT}_{number}" for number in range(1, count)]
    for name in names:
        shutil.copytree(clone.root / "results" / EXPERIMENT, clone.root / "results" / name, dirs_exist_ok=True)

    def change_params(params: Params) -> None:
        params["experiments"] |= dict.fromkeys(names, params["experiments"][EXPERIMENT])

    def change_lock(lock: Params) -> None:
        for stage in (f"train@{EXPERIMENT}", f"evaluate@{EXPERIMENT}"):
            lock["stages"] |= {stage.replace(EXPERIMENT, name): renamed(lock["stages"][stage], name) for name in names}

    clone.rewrite("params.yaml", change_params)
    clone.rewrite("dvc.lock", change_lock)
    tracked = clone.root / ".modelyard" / "backfilled.json"  # which results MLflow already has
    content = read_json(tracked)
    write_json(tracked, content | {name: renamed(content[EXPERIMENT], name) for name in names})


def renamed(content: Any, name: str) -> Any:
    """Replace the experiment's name by that of its copy."""
    return json.loads(json.dumps(content).replace(EXPERIMENT, name))


def _times(clone: ProjectClone, repeats: int) -> dict[str, Any]:
    times: dict[str, Any] = {"stages": len(clone.lock())}
    clone.run("dvc", "repro")  # also lets DVC remember every file
    _check_up_to_date("dvc repro", clone.log.read_text())
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            usage = clone.run(*command)
            _check_up_to_date(name, clone.log.read_text())
            times.setdefault(f"{name}: wall_seconds", []).append(usage.wall_seconds)
            times.setdefault(f"{name}: cpu_seconds", []).append(usage.cpu_seconds)
    return times


def _check_up_to_date(name: str, output: str) -> None:
    if re.search(r"\d built|Running stage", output):
        raise ModelyardError(f"{name} ran stages in a project that should be up to date:\n{output}")
