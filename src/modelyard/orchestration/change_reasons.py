"""Why DVC would run a stage: which value, file, output or command changed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelyard.core.config import flatten

CHANGE_TEXTS = {
    "modified": "changed",
    "deleted": "is missing",
    "new": "is new",
    "not in cache": "is not in DVC's cache",
}
NOTHING = "nothing"
PARAMS = "params.yaml"
LONGEST = 60  # characters; longer values are cut


def reasons(stage: Any, status: list[Any]) -> list[str]:
    """Return the text of each change in DVC's `status` of a stage, with the values that changed.

    Args:
        stage: DVC's own stage, whose parameters know the values of dvc.lock and those of the files.
        status: its entry of `Repo.status()`.
    """
    return list(dict.fromkeys(_reasons(stage, status)))


def _reasons(stage: Any, status: list[Any]) -> Iterator[str]:
    for change in status:
        if isinstance(change, str):
            yield f"its {change.removeprefix('changed ')} changed"
            continue
        for paths in change.values():
            for path, how in paths.items():
                if isinstance(how, dict):
                    yield from _changed_values(stage, path)
                else:
                    yield f"{path} {CHANGE_TEXTS.get(how, how)}"


def _changed_values(stage: Any, path: str) -> Iterator[str]:
    """Yield each changed value of a file of parameters as `key: before -> now`, with the file if it is another one."""
    file = "" if Path(path).name == PARAMS else f"{path}: "
    for parameters in stage.params:
        if str(parameters) != path:
            continue
        before, now = flatten(parameters.hash_info.value or {}), flatten(parameters.read_params())
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                yield f"{file}{key}: {_short(before, key)} -> {_short(now, key)}"


def _short(values: Mapping[str, Any], key: str) -> str:
    text = str(values[key]) if key in values else NOTHING
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
