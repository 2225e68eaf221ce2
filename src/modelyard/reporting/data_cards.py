"""Data cards: of each data set its files with their checksums, and what its inputs look like."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelyard.data.sources import Source
from modelyard.params.project import Project
from modelyard.reporting.project_files import Folder

HIDDEN = {"rows_per_class", "boxes_per_class", "target", "boxes_per_row"}  # told apart from a part's plain values


@dataclass(frozen=True)
class Part:
    """The training, validation or test rows of an input: plain values, and the rows or boxes of each class."""

    name: str
    values: dict[str, Any]
    classes: dict[str, int]


@dataclass(frozen=True)
class View:
    """An input: how its data set is divided and scaled, and what came of it."""

    name: str
    split: dict[str, Any]
    scaling: str
    shape: str
    parts: tuple[Part, ...]
    constant: int
    shared: int

    @property
    def keys(self) -> list[str]:
        """What is told of its parts."""
        return list(dict.fromkeys(key for part in self.parts for key in part.values))

    @property
    def classes(self) -> list[str]:
        """The classes that its rows or boxes have."""
        return list(dict.fromkeys(label for part in self.parts for label in part.classes))


@dataclass(frozen=True)
class Card:
    """One data set; `files` are checksums by name, `raw` is the MD5 of the folder of its raw files."""

    name: str
    task: str
    description: str
    files: dict[str, str]
    raw: str
    views: tuple[View, ...]

    @property
    def alike(self) -> list[list[View]]:
        """Its inputs, together those that differ by their scaling alone."""
        groups: dict[str, list[View]] = {}
        for view in self.views:
            groups.setdefault(repr(replace(view, name="", scaling="")), []).append(view)
        return list(groups.values())


def cards(folder: Folder, project: Project, outputs: Mapping[str, str]) -> list[Card]:
    """Every data set of params.yaml.

    Args:
        folder: where the project lies.
        project: its params.yaml.
        outputs: the MD5 of every output by path, as dvc.lock has it.
    """
    return [
        Card(
            name=name,
            task=entry.task,
            description=entry.description,
            files={file: _checksum(source) for file, source in entry.files.items()},
            raw=outputs.get(f"data/raw/{name}", ""),
            views=tuple(_views(folder, project, name)),
        )
        for name, entry in project.datasets.items()
    ]


def _checksum(source: Source) -> str:
    if source.text is not None:
        return "written in params.yaml"
    return f"{source.checksum.method} {source.checksum.value}"


def _views(folder: Folder, project: Project, dataset: str) -> Iterator[View]:
    for name, entry in project.inputs.items():
        if entry.dataset != dataset:
            continue
        data = folder.json(f"data/inputs/{name}/data.json")
        if data is None:
            folder.missing.append(f"data card of input {name} is not here. To make it: dvc repro normalise@{name}")
            continue
        yield View(
            name=name,
            split=entry.split.model_dump(mode="json", exclude_unset=True),
            scaling=entry.scaling,
            shape=" x ".join(map(str, data["shape_of_a_row"])),
            parts=tuple(_part(name, values) for name, values in data["parts"].items()),
            constant=data["constant_features"]["count"],
            shared=data["distinct_rows_in_both_training_and_test"],
        )


def _part(name: str, values: dict[str, Any]) -> Part:
    classes = values.get("rows_per_class") or values.get("boxes_per_class") or {}
    target = values.get("target") or {}
    plain = {key: value for key, value in values.items() if key not in HIDDEN}
    return Part(name, plain | {f"{key}_target": value for key, value in target.items()}, classes)
