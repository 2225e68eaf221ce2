"""All that an experiment's result depends on, as one value: with some settings changed, and once for each seed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from modelyard import models
from modelyard.core.config import AnySettings, changed, nearest
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputSettings
from modelyard.data.readers import DatasetSettings
from modelyard.data.samples import Task
from modelyard.metrics.definitions import history_metric, shown_metrics
from modelyard.models.engine.output_layer import check_loss
from modelyard.params.claim import Changes, ClaimSettings
from modelyard.params.project import Experiment, Project, TransferExperiment

OF_EXPERIMENT, OF_INPUT, BACKBONE = ("input", "model", "training"), ("split", "scaling"), "backbone"
DISPLAY = {"description", "folder"}  # of a data set: they change no result
GAP = "gap"


@dataclass(frozen=True)
class ResolvedExperiment:
    """An experiment with its input and data set, and with the network that it starts from, if any."""

    dataset: DatasetSettings
    input: InputSettings
    experiment: Experiment | TransferExperiment
    backbone: "ResolvedExperiment | None" = None

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return self.experiment.training.seed

    @property
    def task(self) -> Task:
        """What the model is to do."""
        return models.task_of(self.experiment.model.family, self.dataset.task)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What a claim can be about."""
        of_history = ("loss", *filter(None, [history_metric(self.task)]))
        held_back = (*(f"val_{each}" for each in of_history), GAP) if self.input.split.validation else ()
        return tuple(dict.fromkeys((*shown_metrics(self.task), "loss", *held_back)))

    def self_and_backbones(self) -> Iterator["ResolvedExperiment"]:
        """Itself, and the one whose network it starts from."""
        yield self
        if self.backbone:
            yield from self.backbone.self_and_backbones()

    def with_seed_offset(self, number: int, splits: bool) -> "ResolvedExperiment":
        """The same with the seeds `number` higher: of the training, and of the division of rows where `splits`.

        Raises:
            ModelyardError: `splits`, and the test rows are not drawn by chance.
        """
        seed = {"training.seed": self.experiment.training.seed + number}
        entry = _changed(self.input, _next_split(self, number)) if splits else self.input
        backbone = self.backbone and self.backbone.with_seed_offset(number, splits)
        return replace(self, experiment=_changed(self.experiment, seed), input=entry, backbone=backbone)

    def to_dict(self) -> dict[str, Any]:
        """Every setting, as JSON has it."""
        return {
            "dataset": self.dataset.model_dump(mode="json", exclude=DISPLAY),
            "input": self.input.model_dump(mode="json"),
            "experiment": self.experiment.model_dump(mode="json"),
            "backbone": self.backbone and self.backbone.to_dict(),
        }


def digest(content: Any) -> str:
    """A short name for JSON content; equal content has the same."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def resolve(project: Project, name: str, changes: Changes) -> ResolvedExperiment:
    """An experiment of params.yaml, with changes by dotted keys (see `claim_settings`).

    Raises:
        ModelyardError: no such experiment or key, a value that is not allowed, or weights that others trained.
    """
    if name not in project.all_experiments:
        raise ModelyardError(f"no such experiment: {name}; {nearest(name, project.all_experiments)}")
    if name in project.pretrained:
        raise ModelyardError(f"{name} starts from weights that others trained; only `modelyard run` builds it")
    parts = _by_part(changes)
    experiment = _changed(project.all_experiments[name], parts[OF_EXPERIMENT])
    if experiment.input not in project.inputs:
        raise ModelyardError(f"no such input: {experiment.input}; {nearest(experiment.input, project.inputs)}")
    entry = _changed(project.inputs[experiment.input], parts[OF_INPUT])
    backbone = getattr(experiment.model, "backbone", None)
    if parts[BACKBONE] and not backbone:
        raise ModelyardError(f"{name} starts from no other network: leave the changes of `backbone` out")
    start = resolve(project, backbone, parts[BACKBONE]) if backbone else None
    resolved = ResolvedExperiment(project.datasets[entry.dataset], entry, experiment, start)
    if hasattr(experiment.training, "loss"):
        check_loss(resolved.task, len(resolved.dataset.classes), experiment.training.loss)
    return resolved


def _changed(settings: AnySettings, changes: Changes) -> AnySettings:
    """`config.changed`, whose errors are told in the words of a claim."""
    try:
        return changed(settings, changes)
    except KeyError as unknown:
        raise ModelyardError(f"changes.{unknown.args[0]}: there is nothing of this name to change") from None
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise ModelyardError(f"changes of {', '.join(changes)}: {first['msg']}") from None


def resolve_sides(project: Project, claim: ClaimSettings) -> tuple[ResolvedExperiment, ResolvedExperiment]:
    """The two experiments that a claim compares."""
    first, second = (resolve(project, side.experiment, side.changes) for side in claim.sides)
    return first, second


def _by_part(changes: Changes) -> dict[Any, Changes]:
    """Changes of the experiment, of its input and of its backbone."""
    parts: dict[Any, Changes] = {OF_EXPERIMENT: {}, OF_INPUT: {}, BACKBONE: {}}
    for key, value in changes.items():
        first, _, rest = key.partition(".")
        if first == BACKBONE and rest:
            parts[BACKBONE][rest] = value
        elif first in OF_EXPERIMENT:
            parts[OF_EXPERIMENT][key] = value
        elif first in OF_INPUT:
            parts[OF_INPUT][key] = value
        else:
            raise ModelyardError(f"changes.{key}: {nearest(first, (*OF_EXPERIMENT, *OF_INPUT, BACKBONE))}")
    return parts


def _next_split(resolved: ResolvedExperiment, number: int) -> Changes:
    split = resolved.input.split
    if split.test_seed is None:
        raise ModelyardError(
            f"the test rows of {resolved.input.dataset} are not drawn by chance (split.test: {split.test}): "
            "leave `splits` out, so that the seeds of the training alone differ"
        )
    drawn = {"split.test_seed": split.test_seed, "split.validation_seed": split.validation_seed}
    return {key: seed + number for key, seed in drawn.items() if seed is not None}
