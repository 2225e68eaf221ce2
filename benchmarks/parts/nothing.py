"""A project of many experiments that is up to date: what finding that out costs `modelyard run` and `dvc repro`."""

import json
import re
import shutil
from collections.abc import Collection, Iterator
from typing import Any

from benchmarks.playground import Params, Playground, only, playground
from benchmarks.sizes import Size
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json

EXPERIMENT = "xor_mlp"
COMMANDS = {"modelyard run": ("modelyard", "run"), "dvc repro": ("dvc", "repro")}


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Of each number of experiments: its stages, and the wall and CPU seconds of each command, in turns."""
    waiting = [count for count in size.copies if str(count) not in done]
    if not waiting:
        return
    with playground(lambda params: only(params, [EXPERIMENT])) as place:
        place.run("modelyard", "run")
        for count in sorted(waiting):
            copy(place, count)
            place.run("modelyard", "run")  # compares them all
            yield str(count), {"stages": len(place.lock()), **_times(place, size.repeats)}


def copy(place: Playground, count: int) -> None:
    """Have an experiment stand `count` times in the project, all of them built: their files are the same bytes."""
    names = [f"{EXPERIMENT}_{number}" for number in range(1, count)]
    for name in names:
        shutil.copytree(place.root / "results" / EXPERIMENT, place.root / "results" / name, dirs_exist_ok=True)

    def change_params(params: Params) -> None:
        params["experiments"] |= dict.fromkeys(names, params["experiments"][EXPERIMENT])

    def change_lock(lock: Params) -> None:
        for stage in (f"train@{EXPERIMENT}", f"evaluate@{EXPERIMENT}"):
            lock["stages"] |= {stage.replace(EXPERIMENT, name): named(lock["stages"][stage], name) for name in names}

    place.rewrite("params.yaml", change_params)
    place.rewrite("dvc.lock", change_lock)
    told = place.root / ".modelyard" / "backfilled.json"  # the runs that the diary has
    noted = read_json(told)
    write_json(told, noted | {name: named(noted[EXPERIMENT], name) for name in names})


def named(content: Any, name: str) -> Any:
    """What is said of the experiment, said of its copy."""
    return json.loads(json.dumps(content).replace(EXPERIMENT, name))


def _times(place: Playground, repeats: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            usage = place.run(*command)
            _refuse_work(name, place.log.read_text())
            times.setdefault(f"{name}: wall_seconds", []).append(usage.wall_seconds)
            times.setdefault(f"{name}: cpu_seconds", []).append(usage.cpu_seconds)
    return times


def _refuse_work(name: str, said: str) -> None:
    if re.search(r"\d built|Running stage", said):
        raise ModelyardError(f"{name} found something to do in a project that is up to date:\n{said}")
