"""What is told of each experiment: its settings, how its training ended, its pictures."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from modelyard.core.config import flat
from modelyard.experiments.compare import MISSING
from modelyard.orchestration.scheduler import TIMES
from modelyard.params.project import Project
from modelyard.reporting.inline_images import Picture
from modelyard.reporting.project_files import Folder
from modelyard.reporting.tables import Row, Table

VERBS = ("train", "evaluate")


@dataclass(frozen=True)
class Section:
    """One experiment; `given` and `defaults` are its settings by dotted key, `model` is the MD5 of its folder."""

    row: Row
    dataset: str
    given: dict[str, Any]
    defaults: dict[str, Any]
    last_epoch: dict[str, str]
    classes: dict[str, dict[str, float]]
    seconds: dict[str, float]
    model: str
    pictures: tuple[Picture, ...]

    @property
    def told(self) -> dict[str, str]:
        """Every figure with its interval."""
        return {figure.metric: figure.told for figure in self.row.figures}

    @property
    def class_columns(self) -> list[str]:
        """What is told of each class."""
        return list(next(iter(self.classes.values())))


def sections(folder: Folder, project: Project, tables: Iterable[Table], outputs: Mapping[str, str]) -> list[Section]:
    """Every experiment, in the order of the tables.

    Args:
        folder: where the project lies.
        project: its params.yaml.
        tables: its results.
        outputs: the MD5 of every output by path, as dvc.lock has it.
    """
    seconds = folder.json(str(TIMES))
    if seconds is None:
        folder.missing.append(f"times: {TIMES} is not there; modelyard run writes it")
    timed = dict(_timed(seconds or {}, project))
    return [_section(folder, project, table, row, outputs, timed) for table in tables for row in table.rows]


def _section(
    folder: Folder,
    project: Project,
    table: Table,
    row: Row,
    outputs: Mapping[str, str],
    timed: Mapping[str, dict[str, float]],
) -> Section:
    name = row.experiment
    place = f"results/{name}"
    given, defaults = _settings(project.all_experiments[name])
    pictures = folder.pictures(f"{place}/figures")
    _note(folder, row, pictures)
    return Section(
        row=row,
        dataset=table.dataset,
        given=given,
        defaults=defaults,
        last_epoch=next(reversed(folder.lines(f"{place}/history.csv")), {}),
        classes=(folder.json(f"{place}/details.json") or {}).get("classes", {}),
        seconds=timed.get(name, {}),
        model=outputs.get(f"{place}/model", ""),
        pictures=pictures,
    )


def _note(folder: Folder, row: Row, pictures: tuple[Picture, ...]) -> None:
    name = row.experiment
    if row.state == MISSING:
        folder.missing.append(f"{name}: {MISSING}. To build it: modelyard run {name}")
    elif not pictures:
        folder.missing.append(f"{name}: its pictures are not here. To have them: modelyard run {name}, or dvc pull")


def _settings(experiment: BaseModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an entry says, and what it leaves to the defaults."""
    whole = flat(experiment.model_dump(mode="json"))
    given = flat(experiment.model_dump(mode="json", exclude_unset=True))
    return given, {key: value for key, value in whole.items() if key not in given and value is not None}


def _timed(seconds: Mapping[str, float], project: Project) -> Iterator[tuple[str, dict[str, float]]]:
    """What each experiment's stages took when they were last built."""
    for name in project.all_experiments:
        stages = {stage.rpartition(":")[2]: took for stage, took in seconds.items() if stage.endswith(f"@{name}")}
        spent = {verb: took for verb in VERBS for stage, took in stages.items() if stage.startswith(verb)}
        if spent:
            yield name, spent
