"""A card for each data set: the checksums of its files, and what its prepared inputs contain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from modelyard.data.inputs import InputSettings
from modelyard.data.sources import Source
from modelyard.experiments import data_card
from modelyard.params.project import Project
from modelyard.reporting.input_columns import InputFiles, read_input_files
from modelyard.reporting.project_files import ProjectFiles

SHOWN = {
    "rows": "samples",
    "dtype": "dtype",
    "smallest": "minimum",
    "largest": "maximum",
    "missing_values": "missing values",
}
"""The values of data.json that are shown of each part, with their names on the page."""
SHOWN_OF_TARGET = {
    "smallest": "minimum of the target",
    "mean": "mean of the target",
    "largest": "maximum of the target",
}


@dataclass(frozen=True)
class InputPart:
    """The training, validation or test samples of an input; `classes` counts the samples or boxes of each class."""

    name: str
    values: dict[str, Any]
    classes: dict[str, int]


@dataclass(frozen=True)
class InputCard:
    """A prepared input: how it is split and scaled, and what it contains.

    Attributes:
        name: its key in params.yaml.
        split: its split settings.
        scaling: its scaling method.
        shape: of one sample.
        parts: its training, validation and test samples.
        constant_features: how many features have one value in all training samples.
        shared_samples: how many distinct samples are both in the training and in the test data.
        warnings: what makes its test results doubtful.
        files: what files of new samples are.
    """

    name: str
    split: dict[str, Any]
    scaling: str
    shape: str
    parts: tuple[InputPart, ...]
    constant_features: int
    shared_samples: int
    warnings: tuple[str, ...]
    files: InputFiles

    @property
    def keys(self) -> list[str]:
        """The names of the values of all parts."""
        return list(dict.fromkeys(key for part in self.parts for key in part.values))

    @property
    def classes(self) -> list[str]:
        """The classes of all parts."""
        return list(dict.fromkeys(label for part in self.parts for label in part.classes))


@dataclass(frozen=True)
class DatasetCard:
    """A data set of params.yaml.

    Attributes:
        name: its key in params.yaml.
        task: what it is for.
        description: one sentence.
        license: under what terms the data may be used; empty if params.yaml does not say.
        files: checksums by file name.
        raw_md5: the MD5 of the folder of raw files in dvc.lock; empty if it is not there.
        inputs: the inputs prepared from it.
    """

    name: str
    task: str
    description: str
    license: str
    files: dict[str, str]
    raw_md5: str
    inputs: tuple[InputCard, ...]

    @property
    def groups(self) -> list[list[InputCard]]:
        """The inputs, with those that differ only in their scaling together."""
        groups: dict[str, list[InputCard]] = {}
        for card in self.inputs:
            groups.setdefault(repr(replace(card, name="", scaling="")), []).append(card)
        return list(groups.values())


def data_cards(files: ProjectFiles, project: Project, outputs: Mapping[str, str]) -> list[DatasetCard]:
    """Every data set of params.yaml.

    Args:
        files: the project's files.
        project: params.yaml.
        outputs: the MD5 of every output in dvc.lock, by path.
    """
    return [
        DatasetCard(
            name=name,
            task=entry.task,
            description=entry.description,
            license=entry.license,
            files={file: _checksum(source) for file, source in entry.files.items()},
            raw_md5=outputs.get(f"data/raw/{name}", ""),
            inputs=tuple(_inputs(files, project, name)),
        )
        for name, entry in project.datasets.items()
    ]


def _checksum(source: Source) -> str:
    if source.text is not None:
        return "written in params.yaml"
    of_content = "of the content " if source.checksum.decompressed else ""
    return f"{source.checksum.method} {of_content}{source.checksum.value}"


def _inputs(files: ProjectFiles, project: Project, dataset: str) -> Iterator[InputCard]:
    for name, entry in project.inputs.items():
        if entry.dataset != dataset:
            continue
        path = f"data/inputs/{name}/data.json"
        data = files.json(path)
        if data is None:
            files.missing.append(f"{name}: no data card of this input. To create it: dvc repro normalise@{name}")
            continue
        folder = f"data/inputs/{name}"
        new = files.attempt(f"{folder}/contract", partial(read_input_files, files.root / folder), InputFiles())
        card = files.attempt(path, partial(_input_card, name, entry, data, new), None)
        if card:
            yield card


def _input_card(name: str, entry: InputSettings, data: dict[str, Any], files: InputFiles) -> InputCard:
    return InputCard(
        name=name,
        split=entry.split.model_dump(mode="json", exclude_unset=True),
        scaling=entry.scaling + ("" if entry.target_scaling == "none" else f", target {entry.target_scaling}"),
        shape=" x ".join(map(str, data["shape_of_a_row"])),
        parts=tuple(_part(part, values) for part, values in data["parts"].items()),
        constant_features=data["constant_features"]["count"],
        shared_samples=data[data_card.SHARED],
        warnings=tuple(data_card.warnings(data)),
        files=files,
    )


def _part(name: str, values: dict[str, Any]) -> InputPart:
    target = values.get("target") or {}
    shown = {label: values[key] for key, label in SHOWN.items() if key in values}
    shown |= {label: target[key] for key, label in SHOWN_OF_TARGET.items() if key in target}
    return InputPart(name, shown, values.get("rows_per_class") or values.get("boxes_per_class") or {})
