"""The project's pipeline in a clone: reduced to a few experiments, and run by commands."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from modelyard.orchestration.patching import dvc_messages_to

SECTIONS = ("experiments", "transfers", "pretrained")
Run = Callable[..., subprocess.CompletedProcess]


def init_dvc(root: Path, no_scm: bool = True) -> None:
    """`dvc init`; DVC logs to the output that was there when it was imported, which a test may have closed since."""
    from dvc.repo import Repo

    with dvc_messages_to(logging.NullHandler()):
        Repo.init(str(root), no_scm=no_scm).close()


@contextmanager
def editing(path: Path) -> Iterator[dict[str, Any]]:
    """A YAML file as plain values, written back after the block."""
    content = YAML(typ="safe").load(path)
    yield content
    with path.open("w") as file:
        YAML().dump(content, file)


@contextmanager
def editing_params(folder: Path) -> Iterator[dict[str, Any]]:
    """params.yaml, written back after the block; published values and claims about experiments that went go, too."""
    with editing(folder / "params.yaml") as params:
        yield params
    names = {name for section in SECTIONS for name in params[section]}
    with editing(folder / "published.yaml") as published:
        for name in published.keys() - names:
            del published[name]
    with editing(folder / "claims.yaml") as claims:
        for name, claim in list(claims.items()):
            if not {claim[side]["experiment"] for side in ("first", "second")} <= names:
                del claims[name]


def keep_only(params: dict[str, Any], experiments: list[str]) -> None:
    """Leave these experiments and what they need; without mirrors."""
    params["fetch"]["mirrors"] = []
    kept = {name: study for name, study in params["studies"].items() if study["experiment"] in experiments}
    params["studies"] = kept
    for section in SECTIONS:
        params[section] = {name: entry for name, entry in params[section].items() if name in experiments}
    used = {entry["model"]["backbone"] for entry in params["pretrained"].values()}
    params["backbones"] = {name: entry for name, entry in params["backbones"].items() if name in used}
    used = {entry["input"] for section in SECTIONS for entry in params[section].values()}
    params["inputs"] = {name: entry for name, entry in params["inputs"].items() if name in used}
    used = {entry["dataset"] for entry in params["inputs"].values()}
    for section in ("datasets", "units"):
        params[section] = {name: entry for name, entry in params[section].items() if name in used}


def add_linear(name: str, of: str, params: dict[str, Any]) -> None:
    """An experiment that needs no TensorFlow."""
    params["experiments"][name] = {"input": of, "model": {"family": "linear"}, "training": {"seed": 7}}


def dvc(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def stages_run(repro: subprocess.CompletedProcess) -> list[str]:
    """The stages whose command a `dvc repro` really ran, in order."""
    return [line.split("'")[1] for line in repro.stdout.splitlines() if line.startswith("Running stage")]


def lock(clone: Path) -> Any:
    return YAML(typ="safe").load(clone / "dvc.lock")
