"""Experiments with all settings that their results depend on, optionally with some settings or the seeds changed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from modelyard import models
from modelyard.core.config import AnySettings, suggest, with_changes
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import MEASURED_ONLY, InputSettings
from modelyard.data.readers import AnyDataset
from modelyard.data.samples import Task
from modelyard.data.splits import check_task
from modelyard.metrics.definitions import history_metric, metric_names, shown_metrics
from modelyard.models.engine.tasks import check_loss
from modelyard.params.claim import Changes, ClaimSettings
from modelyard.params.fold_evaluation import EVALUATE
from modelyard.params.project import AnyExperiment, EstimatorExperiment, Project, TransferExperiment
from modelyard.params.study import SEED

EXPERIMENT_KEYS, INPUT_KEYS = ("input", "model", "training"), ("split", "scaling")
DATASET, BACKBONE = "dataset", "backbone"
RAW = ("reader", "files", "folder")  # of a data set: what is fetched stays as it is
DISPLAY = {"description", "folder"}  # of a data set: they change no result
GAP = "gap"


@dataclass(frozen=True)
class ResolvedExperiment:
    """An experiment with the settings of its input and data set, and the experiment that it starts from, if any."""

    dataset: AnyDataset
    input: InputSettings
    experiment: AnyExperiment
    backbone: "ResolvedExperiment | None" = None

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return self.experiment.training.seed

    @property
    def task(self) -> Task:
        """The task of the model."""
        return models.task_of(self.experiment.model.family, self.dataset.task)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that a claim can compare."""
        in_history = ("loss", *filter(None, [history_metric(self.task)]))
        on_validation = (*(f"val_{name}" for name in in_history), GAP) if self.input.split.validation else ()
        measured = metric_names(self.task, len(self.dataset.classes))
        return tuple(dict.fromkeys((*shown_metrics(self.task, measured), "loss", *measured, *on_validation)))

    def self_and_backbones(self) -> Iterator["ResolvedExperiment"]:
        """This experiment, then the one that it starts from, and so on."""
        yield self
        if self.backbone:
            yield from self.backbone.self_and_backbones()

    def with_seed_offset(self, offset: int, splits: bool) -> "ResolvedExperiment":
        """The same experiment and backbone with `offset` added to their training seeds.

        Args:
            offset: 0 for the seeds of params.yaml.
            splits: whether to add it to the seeds of the test and validation splits as well.

        Raises:
            ModelyardError: `splits` is true, and the test samples are not drawn with a seed, or `split.first` is set.
        """
        seed = {SEED: self.experiment.training.seed + offset}
        return replace(
            self,
            experiment=_changed(self.experiment, seed),
            input=_changed(self.input, _split_seeds(self.input, offset)) if splits else self.input,
            backbone=self.backbone and self.backbone.with_seed_offset(offset, splits),
        )

    def to_dict(self) -> dict[str, Any]:
        """Every setting that can change the result, ready for JSON."""
        return {
            "dataset": self.dataset.model_dump(mode="json", exclude=DISPLAY),
            "input": self.input.model_dump(mode="json", exclude=MEASURED_ONLY),
            "experiment": self.experiment.model_dump(mode="json", exclude=EVALUATE),
            "backbone": self.backbone and self.backbone.to_dict(),
        }


def digest(content: Any) -> str:
    """A hash of JSON content in 16 hexadecimal digits, whatever the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def resolve(project: Project, name: str, changes: Changes) -> ResolvedExperiment:
    """Look up an experiment of params.yaml and change some of its settings (see `params.claim` for the keys).

    Raises:
        ModelyardError: no such experiment or key, a value that is not allowed, or an experiment of `pretrained`.
    """
    if name not in project.all_experiments:
        raise ModelyardError(f"no such experiment: {name}; {suggest(name, project.all_experiments)}")
    if name in project.pretrained:
        raise ModelyardError(f"{name} starts from pretrained weights; only `modelyard run` builds it")
    parts = _split_changes(changes)
    experiment = _changed(project.all_experiments[name], parts.experiment)
    if experiment.input not in project.inputs:
        raise ModelyardError(f"no such input: {experiment.input}; {suggest(experiment.input, project.inputs)}")
    settings = _changed(project.inputs[experiment.input], parts.input)
    dataset = _changed(project.datasets[settings.dataset], parts.dataset)
    check_task(settings.split, dataset.task)
    start = None
    if isinstance(experiment, TransferExperiment):
        start = resolve(project, experiment.model.backbone, parts.backbone)
    elif parts.backbone:
        raise ModelyardError(f"{name} starts from no other experiment: leave out the changes of `backbone`")
    resolved = ResolvedExperiment(dataset, settings, experiment, start)
    if not isinstance(experiment, EstimatorExperiment):
        check_loss(resolved.task, len(resolved.dataset.classes), experiment.training.loss)
    return resolved


def resolve_sides(project: Project, claim: ClaimSettings) -> tuple[ResolvedExperiment, ResolvedExperiment]:
    """The two experiments that a claim compares.

    Raises:
        ModelyardError: see `resolve`.
    """
    first, second = (resolve(project, side.experiment, side.changes) for side in claim.sides)
    return first, second


class _ChangesByPart(NamedTuple):
    experiment: Changes
    input: Changes
    dataset: Changes
    backbone: Changes


def _split_changes(changes: Changes) -> _ChangesByPart:
    parts = _ChangesByPart({}, {}, {}, {})
    for key, value in changes.items():
        first, _, rest = key.partition(".")
        if first == BACKBONE and rest:
            parts.backbone[rest] = value
        elif first == DATASET and rest:
            if rest.partition(".")[0] in RAW:
                raise ModelyardError(f"changes.{key}: the raw files stay those of the data set; give it another entry")
            parts.dataset[rest] = value
        elif first in EXPERIMENT_KEYS:
            parts.experiment[key] = value
        elif first in INPUT_KEYS:
            parts.input[key] = value
        else:
            raise ModelyardError(
                f"changes.{key}: {suggest(first, (*EXPERIMENT_KEYS, *INPUT_KEYS, f'{DATASET}.*', f'{BACKBONE}.*'))}"
            )
    return parts


def _changed(settings: AnySettings, changes: Changes) -> AnySettings:
    """`with_changes`, with errors that name the keys of `changes`."""
    try:
        return with_changes(settings, changes)
    except KeyError as unknown:
        raise ModelyardError(f"changes.{unknown.args[0]}: there is no such setting to change") from None
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise ModelyardError(f"changes of {', '.join(changes)}: {first['msg']}") from None


def _split_seeds(settings: InputSettings, offset: int) -> Changes:
    split = settings.split
    if split.time:
        raise ModelyardError(
            f"the test samples of {settings.dataset} are the last in time (split.time: {split.time}), and no seed "
            "draws others: leave out `splits`, so that only the training seeds differ"
        )
    if split.test_seed is None:
        raise ModelyardError(
            f"the test samples of {settings.dataset} are not drawn at random (split.test: {split.test}): "
            "leave out `splits`, so that only the training seeds differ"
        )
    if split.first:
        raise ModelyardError(
            f"split.first: {split.first} goes with test samples that stay, because a test of re-drawn splits needs "
            "the fraction of training samples: leave it out, or leave out `splits`"
        )
    seeds = {"split.test_seed": split.test_seed, "split.validation_seed": split.validation_seed}
    return {key: seed + offset for key, seed in seeds.items() if seed is not None}
