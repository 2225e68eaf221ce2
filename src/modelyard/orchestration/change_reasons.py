"""Why DVC would run a stage, in words: which value, file, output or command changed."""

from collections.abc import Iterator, Mapping
from typing import Any

HOW = {"modified": "changed", "deleted": "is missing", "new": "is new", "not in cache": "is not in DVC's cache"}
NOTHING = "nothing"
LONGEST = 60  # letters of a value


def reasons(stage: Any, status: list) -> list[str]:
    """What DVC's `status` of a stage says, with the values that changed.

    Args:
        stage: DVC's own stage, whose parameters know what dvc.lock has and what the files have.
        status: its entry of `Repo.status()`.
    """
    return list(dict.fromkeys(_told(stage, status)))


def _told(stage: Any, status: list) -> Iterator[str]:
    for change in status:
        if isinstance(change, str):
            yield f"its {change.removeprefix('changed ')} changed"
            continue
        for paths in change.values():
            for path, how in paths.items():
                yield from _changed_values(stage, path) if isinstance(how, dict) else [f"{path} {HOW.get(how, how)}"]


def _changed_values(stage: Any, path: str) -> Iterator[str]:
    """Each value of a file of parameters as `key: before -> now`."""
    for parameters in stage.params:
        if str(parameters) != path:
            continue
        before, now = _flat(parameters.hash_info.value or {}), _flat(parameters.read_params())
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                yield f"{key}: {_short(before, key)} -> {_short(now, key)}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values under dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inside = isinstance(value, Mapping) and value
        flat |= _flat(value, f"{prefix}{key}.") if inside else {f"{prefix}{key}": value}
    return flat


def _short(values: Mapping[str, Any], key: str) -> str:
    text = str(values[key]) if key in values else NOTHING
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
