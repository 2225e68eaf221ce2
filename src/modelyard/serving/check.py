"""Checks new samples of a model: whether they have drifted from its training samples, and whether its metric fell."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_text
from modelyard.data.columns import Column
from modelyard.data.contract import Measured, Reference, measure
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import TARGET_KINDS
from modelyard.serving import drift, predict, prediction_requests, tables
from modelyard.serving.batch import FILES, PredictionBatch, Unreadable, files_in, kind_of, shown_name, stack
from modelyard.serving.drift import ALPHA, ALPHA_WITH_METRIC, SMALLEST_EFFECT, AdjustedTest, NewMetric
from modelyard.serving.engines import Predictor
from modelyard.serving.outside import count_outside
from modelyard.serving.reference import ModelReference, bind_metric, measure_outputs
from modelyard.serving.request_log import ENDING, is_log

if TYPE_CHECKING:
    import pandas as pd

MOST = 10_000  # samples that are compared: more are drawn from at random
AT_ONCE = 1000  # samples that are drawn from together: a log has a batch for each request
FOLDER = "folder"  # what --target names for images and texts: the folder of a file is its class


class Answered(NamedTuple):
    """The targets of samples that have one (n,), and a model's outputs for them (n, ...)."""

    truth: np.ndarray
    outputs: np.ndarray


NONE_ANSWERED = Answered(np.empty(0), np.empty(0))


@dataclass
class Problems:
    """What was noticed while reading samples.

    Attributes:
        warnings: what was changed or ignored.
        errors: what could not be read.
        answer_errors: what is wrong with targets.
    """

    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answer_errors: list[str] = field(default_factory=list)

    def add(self, batch: PredictionBatch) -> None:
        """Add what was noticed while reading a batch."""
        self.warnings += batch.warnings
        self.errors += batch.errors
        self.answer_errors += batch.answer_errors


@dataclass(frozen=True)
class NewSamples:
    """What is compared of the samples to check; the samples themselves, which may be large, are not kept.

    Attributes:
        inputs: the features of up to MOST samples; None if there is no sample.
        outputs: those of the model's outputs for them; None if it answers none.
        incomplete: how many of them lack a value which the model must have, so that it does not answer them.
        answered: those with a target, if targets were asked for.
        rows: how many samples there were.
        problems: what was noticed while reading them.
    """

    inputs: Measured | None
    outputs: Measured | None
    incomplete: int
    answered: Answered | None
    rows: int
    problems: Problems


@dataclass(frozen=True)
class DriftReport:
    """What a check has found.

    Attributes:
        model: the model's name.
        rows: the number of new samples; at most MOST of them were compared.
        tests: one for each feature of the samples, and of the model's outputs.
        measured: the features of the new samples, and of the outputs for them.
        outside: the number of compared samples outside the training samples' range or categories, by feature.
        smallest_detectable: the smallest effect that would have been significant.
        alpha: the probability of a false alarm that the tests together have.
        metric: how the metric has changed, where the true targets were given.
        unread: the number of rows or files that could not be read, so that nothing here is about them.
        incomplete: the number of compared samples that lack a value which the model must have: it does not answer them.
    """

    model: str
    rows: int
    tests: list[AdjustedTest]
    measured: tuple[Measured, Measured]
    outside: Counter[str]
    smallest_detectable: float
    alpha: float
    metric: NewMetric | None
    unread: int = 0
    incomplete: int = 0

    @property
    def compared(self) -> int:
        """The number of samples that were compared."""
        return len(self.measured[0].values)

    @property
    def drifted(self) -> list[str]:
        """The features that have drifted."""
        return [each.test.feature for each in self.tests if each.has_drifted]

    @property
    def is_alarm(self) -> bool:
        """Whether a feature has drifted, or the metric has fallen."""
        return bool(self.drifted) or (self.metric is not None and self.metric.has_fallen)

    def as_json(self) -> dict[str, Any]:
        """Everything but the samples, as JSON values."""
        metric: dict[str, Any] | None = None
        if self.metric:
            metric = {"name": self.metric.metric, "samples": self.metric.rows, "test": self.metric.before}
            if self.metric.is_comparable:
                metric |= {"new": self.metric.after, "difference": self.metric.after - self.metric.before}
                metric |= self.metric.interval._asdict()
            metric |= {"is_comparable": self.metric.is_comparable, "has_fallen": self.metric.has_fallen}
        return {
            "model": self.model,
            "samples": self.rows,
            "compared": self.compared,
            "unread": self.unread,
            "incomplete": self.incomplete,
            "drift": bool(self.drifted),
            "alarm": self.is_alarm,
            "alpha": self.alpha,
            "smallest_effect": SMALLEST_EFFECT,
            "smallest_detectable_effect": self.smallest_detectable,
            "features": [
                {**each.test._asdict(), "p_adjusted": each.p_adjusted, "has_drifted": each.has_drifted}
                for each in self.tests
            ],
            "outside_training": dict(self.outside),
            "metric": metric,
        }


def check(name: str, model: Predictor, reference: ModelReference, new: NewSamples) -> DriftReport:
    """Compare new samples, and a model's outputs for them, with what is kept with the model.

    With true targets, the tests of the features have less than 5 %, so that the metric may raise an alarm, too.

    Raises:
        ModelyardError: there is no sample.
    """
    if new.inputs is None:
        raise ModelyardError("there is no sample to check")
    measured = new.inputs, new.outputs or _no_samples(reference.outputs)
    tests = [
        test
        for known, of_new in zip((reference.inputs, reference.outputs), measured, strict=True)
        for test in drift.compare(known, of_new)
    ]
    alpha = ALPHA if new.answered is None else ALPHA_WITH_METRIC
    smallest = min(len(reference.inputs.values), len(reference.outputs.values))
    return DriftReport(
        model=name,
        rows=new.rows,
        tests=drift.adjust(tests, alpha),
        measured=measured,
        outside=count_outside(reference.inputs, measured[0]),
        smallest_detectable=drift.smallest_detectable(smallest, len(new.inputs.values), len(tests), alpha),
        alpha=alpha,
        metric=None if new.answered is None else _metric_change(model, reference, new.answered),
        unread=len(new.problems.errors),
        incomplete=new.incomplete,
    )


def _no_samples(reference: Reference) -> Measured:
    columns = tuple(Column(name=feature.name, kind=feature.kind) for feature in reference.features)
    return Measured(columns, np.empty((0, len(columns))), (False,) * len(columns))


def table(report: DriftReport) -> "pd.DataFrame":
    """Return the tests as a table, one row for each."""
    import pandas as pd

    rows = [each.test._asdict() | {"p_adjusted": each.p_adjusted, "drift": each.has_drifted} for each in report.tests]
    return pd.DataFrame(rows)


def read(paths: Sequence[Path], model: Predictor, target: str = "") -> NewSamples:
    """Read and measure files, and those in folders; of more than MOST samples, as many at random.

    Args:
        paths: files and folders of the kind that the model takes.
        model: the model.
        target: of a table the column with the true targets, else FOLDER; none by default.

    Raises:
        ModelyardError: there is no file, the model has no target that can be compared, or `target` is another name for
            an image or text.
    """
    description = model.description
    _check_target(description, target)
    random, files = np.random.default_rng(0), [file for path in paths for file in files_in(path)]
    if any(is_log(file) for file in files):
        return _draw(_requests(files, description, target), random, model)
    kind = kind_of(description)
    if not files:
        raise ModelyardError(
            f"{', '.join(map(shown_name, paths))}: no file to check. Give {FILES[kind]}, folders of them, or logs of "
            f"`modelyard serve` (*{ENDING})"
        )
    if kind == "table":
        return _draw(tables.read(files, description, target, keeps_incomplete=True), random, model)
    chosen = np.sort(random.permutation(len(files))[:MOST])
    batches = predict.read([files[number] for number in chosen], description)
    if target:
        batches = (_with_folders_as_truth(batch, description) for batch in batches)
    return measure_new(batches, model, others=len(files) - len(chosen))


def measure_new(
    batches: Iterable[PredictionBatch], model: Predictor, problems: Problems | None = None, others: int = 0
) -> NewSamples:
    """Measure samples and a model's outputs for them, a batch at a time.

    Args:
        batches: the samples.
        model: the model.
        problems: what was noticed before.
        others: how many more samples there are, which are not compared.
    """
    description, problems = model.description, problems or Problems()
    inputs: list[Measured] = []
    outputs: list[Measured] = []
    answered: list[Answered] = []
    incomplete, has_truth = 0, False
    for batch in batches:
        problems.add(batch)
        has_truth = has_truth or batch.truth is not None
        if not len(batch):
            continue
        inputs.append(measure(batch.x, description))
        complete = ~(np.isnan(inputs[-1].values) & ~np.array(inputs[-1].takes_gaps)).any(axis=1)
        incomplete += int((~complete).sum())
        if not complete.any():
            continue
        x = batch.x if complete.all() else batch.x[complete]
        found = model.predict(x)
        outputs.append(measure_outputs(x, found, description))
        if batch.truth is not None:
            truth = batch.truth[complete]
            answered.append(Answered(truth[~np.isnan(truth)], found[~np.isnan(truth)]))
    all_answered = Answered(*map(np.concatenate, zip(*answered, strict=True))) if answered else NONE_ANSWERED
    return NewSamples(
        inputs=_join(inputs),
        outputs=_join(outputs),
        incomplete=incomplete,
        answered=all_answered if has_truth else None,
        rows=sum(len(each.values) for each in inputs) + others,
        problems=problems,
    )


def _join(parts: Sequence[Measured]) -> Measured | None:
    return parts[0]._replace(values=np.concatenate([each.values for each in parts])) if parts else None


def _requests(files: Sequence[Path], description: InputDescription, target: str) -> Iterator[PredictionBatch]:
    """The samples of logged requests."""
    if others := [file for file in files if not is_log(file)]:
        raise ModelyardError(
            f"{others[0]} is no log of `modelyard serve`, as other files given here are: check it alone"
        )
    if target:
        raise ModelyardError("a log of `modelyard serve` has no true targets: leave out --target")
    noticed: set[str] = set()  # most requests of a program have the same columns too many
    for file in files:
        try:
            lines = [(number, line) for number, line in enumerate(read_text(file).split("\n"), start=1) if line]
        except OSError as error:
            yield _unread(f"{file}: {error.strerror or error}", description)
            continue
        if not lines:
            yield _unread(f"{file}: there is no request in it", description)
        for number, line in lines:
            try:
                asked = prediction_requests.from_json(json.loads(line)["input"], description)
                batch = prediction_requests.read(asked, description)
            except (KeyError, TypeError, ValueError, RecursionError, Unreadable) as error:
                reason = error if isinstance(error, Unreadable) else "no request that `modelyard serve` has logged"
                yield _unread(f"{file}: line {number}: {reason}", description)
            else:
                yield replace(batch, warnings=tuple(each for each in batch.warnings if each not in noticed))
                noticed.update(batch.warnings)


def _unread(error: str, description: InputDescription) -> PredictionBatch:
    return PredictionBatch({}, stack([], description.shape, description.dtype), errors=(error,))


class _Drawn(NamedTuple):
    """Samples with a random number each, and their true targets."""

    keys: np.ndarray
    x: np.ndarray
    truth: np.ndarray | None


def _draw(batches: Iterator[PredictionBatch], random: np.random.Generator, model: Predictor) -> NewSamples:
    """Measure the MOST samples with the smallest of random numbers: found in one pass, and equally likely each."""
    drawn: list[_Drawn] = []
    rows = waiting = 0
    problems = Problems()
    for batch in batches:
        rows, waiting = rows + len(batch), waiting + len(batch)
        problems.add(batch)
        if len(batch):
            drawn.append(_Drawn(random.random(len(batch)), batch.x, batch.truth))
        if waiting > AT_ONCE:
            drawn, waiting = [_smallest(drawn)], 0
    if not drawn:
        return measure_new([], model, problems)
    kept = _smallest(drawn)
    return measure_new([PredictionBatch({}, kept.x, truth=kept.truth)], model, problems, rows - len(kept.x))


def _smallest(drawn: Sequence[_Drawn]) -> _Drawn:
    """The MOST samples with the smallest numbers, in their order."""
    keys, x = (np.concatenate([each[part] for each in drawn]) for part in (0, 1))
    truths = [each.truth for each in drawn if each.truth is not None]
    truth = np.concatenate(truths) if truths else None
    if len(keys) <= MOST:
        return _Drawn(keys, x, truth)
    kept = np.sort(np.argpartition(keys, MOST)[:MOST])
    return _Drawn(keys[kept], x[kept], None if truth is None else truth[kept])


def _check_target(description: InputDescription, target: str) -> None:
    if not target:
        return
    if TARGET_KINDS[description.task] not in ("class", "number"):
        raise ModelyardError(
            f"--target is for classes and values; this model's task is {description.task}: leave it out"
        )
    if kind_of(description) != "table" and target != FOLDER:
        raise ModelyardError(
            f"--target {target}: this model takes no tables. With `--target {FOLDER}`, the name of the folder that a "
            "file lies in is its true class"
        )


def _with_folders_as_truth(batch: PredictionBatch, description: InputDescription) -> PredictionBatch:
    """The samples with the class that their folder has the name of."""
    labels = [Path(name).absolute().parent.name for name in batch.names["file"]]
    numbers = {name: float(number) for number, name in enumerate(description.classes)}
    errors = [
        f"{file}: its folder {label!r} is no class of this model; {suggest(label, numbers)}"
        for file, label in zip(batch.names["file"], labels, strict=True)
        if label not in numbers
    ]
    truth = np.array([numbers.get(label, np.nan) for label in labels])
    return replace(batch, truth=truth, answer_errors=tuple(errors))


def _metric_change(model: Predictor, reference: ModelReference, answered: Answered) -> NewMetric:
    known = reference.metric
    bound = bind_metric(model, *answered) if len(answered.truth) else None
    return drift.metric_change(known.name, (known.value, known.interval), bound)
