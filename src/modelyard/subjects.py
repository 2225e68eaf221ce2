"""All that an experiment's result depends on, as one value: with some settings changed, and once for each seed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelyard import models
from modelyard.claim_settings import Changes, Claim
from modelyard.config import AnySettings, Mistake, changed, nearest
from modelyard.datasets import DatasetSettings
from modelyard.errors import ModelyardError
from modelyard.inputs import InputSettings
from modelyard.metrics import SHOWN, WATCHED
from modelyard.models.output import check_loss
from modelyard.rows import Task

if TYPE_CHECKING:
    from modelyard.settings import EstimatorExperiment, NetworkExperiment, Project, TransferExperiment

OF_EXPERIMENT, OF_INPUT, BACKBONE = ("input", "model", "training"), ("split", "scaling"), "backbone"
DISPLAY = {"description", "folder"}  # of a data set: they change no result
GAP = "gap"


@dataclass(frozen=True)
class Subject:
    """An experiment with its input and data set, and with the network that it starts from, if any."""

    dataset: DatasetSettings
    input: InputSettings
    experiment: "NetworkExperiment | EstimatorExperiment | TransferExperiment"
    backbone: "Subject | None" = None

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
        of_history = ("loss", *filter(None, [WATCHED.get(self.task)]))
        held_back = (*(f"val_{each}" for each in of_history), GAP) if self.input.split.validation else ()
        return tuple(dict.fromkeys((*SHOWN[self.task], "loss", *held_back)))

    def chain(self) -> Iterator["Subject"]:
        """Itself, and the one whose network it starts from."""
        yield self
        if self.backbone:
            yield from self.backbone.chain()

    def with_seed(self, number: int, splits: bool) -> "Subject":
        """The same with the seeds `number` higher: of the training, and of the division of rows where `splits`.

        Raises:
            ModelyardError: `splits`, and the test rows are not drawn by chance.
        """
        seed = {"training.seed": self.experiment.training.seed + number}
        entry = _changed(self.input, _next_split(self, number)) if splits else self.input
        backbone = self.backbone and self.backbone.with_seed(number, splits)
        return replace(self, experiment=_changed(self.experiment, seed), input=entry, backbone=backbone)

    def described(self) -> dict[str, Any]:
        """Every setting, as JSON has it."""
        return {
            "dataset": self.dataset.model_dump(mode="json", exclude=DISPLAY),
            "input": self.input.model_dump(mode="json"),
            "experiment": self.experiment.model_dump(mode="json"),
            "backbone": self.backbone and self.backbone.described(),
        }


def digest(content: Any) -> str:
    """A short name for JSON content; equal content has the same."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def subject_of(project: "Project", name: str, changes: Changes) -> Subject:
    """An experiment of params.yaml, with changes by dotted keys (see `claim_settings`).

    Raises:
        ModelyardError: no such experiment or key, a value that is not allowed, or weights that others trained.
    """
    if name not in project.runs:
        raise ModelyardError(f"no such experiment: {name}; {nearest(name, project.runs)}")
    if name in project.pretrained:
        raise ModelyardError(f"{name} starts from weights that others trained; only `modelyard run` builds it")
    parts = _by_part(changes)
    experiment = _changed(project.runs[name], parts[OF_EXPERIMENT])
    if experiment.input not in project.inputs:
        raise ModelyardError(f"no such input: {experiment.input}; {nearest(experiment.input, project.inputs)}")
    entry = _changed(project.inputs[experiment.input], parts[OF_INPUT])
    backbone = getattr(experiment.model, "backbone", None)
    if parts[BACKBONE] and not backbone:
        raise ModelyardError(f"{name} starts from no other network: leave the changes of `backbone` out")
    start = subject_of(project, backbone, parts[BACKBONE]) if backbone else None
    subject = Subject(project.datasets[entry.dataset], entry, experiment, start)
    if hasattr(experiment.training, "loss"):
        check_loss(subject.task, len(subject.dataset.classes), experiment.training.loss)
    return subject


def _changed(settings: AnySettings, changes: Changes) -> AnySettings:
    """`config.changed`, whose errors are told in the words of a claim."""
    try:
        return changed(settings, changes)
    except KeyError as unknown:
        raise ModelyardError(f"changes.{unknown.args[0]}: there is nothing of this name to change") from None
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise ModelyardError(f"changes of {', '.join(changes)}: {first['msg']}") from None


def sides_of(project: "Project", claim: Claim) -> tuple[Subject, Subject]:
    """The two subjects that a claim compares."""
    first, second = (subject_of(project, side.experiment, side.changes) for side in claim.sides)
    return first, second


def mistakes_of_claims(project: "Project") -> Iterator[Mistake]:
    """Claims that name what is not there, or whose sides cannot be compared."""
    for name, claim in project.claims.items():
        try:
            sides = sides_of(project, claim)
            for side in sides:
                side.with_seed(1, claim.splits)
        except ModelyardError as error:
            yield Mistake(("claims", name), str(error))
            continue
        for side in sides:
            if claim.metric not in side.metrics:
                advice = nearest(claim.metric, side.metrics)
                yield Mistake(("claims", name, "metric"), f"not measured on both sides; {advice}")
                break


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


def _next_split(subject: Subject, number: int) -> Changes:
    split = subject.input.split
    if split.test_seed is None:
        raise ModelyardError(
            f"the test rows of {subject.input.dataset} are not drawn by chance (split.test: {split.test}): "
            "leave `splits` out, so that the seeds of the training alone differ"
        )
    drawn = {"split.test_seed": split.test_seed, "split.validation_seed": split.validation_seed}
    return {key: seed + number for key, seed in drawn.items() if seed is not None}
