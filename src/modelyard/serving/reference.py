"""What is kept with a model to judge new samples by: its input contract, and its predictions for test samples.

A network's outputs are the features that it has learnt: where their distribution changes, so have the samples in a way
that matters to it (black box shift detection: Lipton, Wang and Smola 2018; Rabanser, Günnemann and Lipton 2019). They
are compared with those for test samples, because a network is surer of what it was trained on.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from modelyard.core.config import Settings
from modelyard.core.files import read_text, write_json
from modelyard.data.columns import Column
from modelyard.data.contract import INPUTS, KEPT, Measured, Reference
from modelyard.data.inputs import InputDescription
from modelyard.data.samples import TARGET_KINDS, Samples
from modelyard.experiments.evaluate import Evaluation
from modelyard.experiments.tasks import TASKS, PredictedSamples
from modelyard.metrics.bootstrap import Interval
from modelyard.metrics.definitions import BoundMetric, headline_metric
from modelyard.serving.engines import Predictor

if TYPE_CHECKING:
    from modelyard.models import Model

DECIMALS = 3  # of probabilities
OUTPUTS, METRIC = "outputs", "metric.json"


class MetricOnTest(Settings):
    """The headline metric of a model on its test samples, with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    rows: int

    @property
    def interval(self) -> Interval:
        """The interval."""
        return Interval(self.low, self.high)


@dataclass(frozen=True)
class ModelReference:
    """What new samples of a model are compared with.

    Attributes:
        inputs: the features of its training samples.
        outputs: its outputs for test samples.
        metric: its headline metric on all test samples.
    """

    inputs: Reference
    outputs: Reference
    metric: MetricOnTest

    @classmethod
    def of(cls, evaluation: Evaluation, contract: Path) -> "ModelReference":
        """What to keep with an evaluated model, and the folder of its input contract.

        Raises:
            ModelyardError: another version has written the contract.
        """
        scored, description = evaluation.scored, evaluation.scored.model.description
        rows, metric = len(scored.test), headline_metric(description.task)
        chosen = np.sort(np.random.default_rng(0).permutation(rows)[:KEPT])
        measured = measure_outputs(np.asarray(scored.test.x[chosen]), scored.outputs[chosen], description)
        low, high = evaluation.details["intervals"][metric]
        known = MetricOnTest(name=metric, value=evaluation.metrics[metric], low=low, high=high, rows=rows)
        return cls(Reference.load(contract), Reference.of(measured), known)

    def save(self, folder: Path) -> None:
        """Write everything into a folder."""
        self.inputs.save(folder / INPUTS)
        self.outputs.save(folder / OUTPUTS)
        write_json(folder / METRIC, self.metric.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path) -> "ModelReference":
        """Read what `save` has written.

        Raises:
            ModelyardError: another version has written it.
        """
        metric = MetricOnTest.model_validate_json(read_text(folder / METRIC))
        return cls(Reference.load(folder / INPUTS), Reference.load(folder / OUTPUTS), metric)


def bind_metric(model: Predictor, truth: np.ndarray, outputs: np.ndarray) -> BoundMetric:
    """Return the headline metric of a model's outputs for samples with these classes or values."""
    task = model.description.task
    targets = truth.astype(np.int64) if TARGET_KINDS[task] == "class" else truth
    without_features = Samples(np.empty((len(truth), 0)), targets)  # of classes and values no metric needs them
    scored = TASKS[task].score(cast("Model", model), without_features, outputs)  # it takes nothing but the description
    return scored.bound_metrics[headline_metric(task)]


def measure_outputs(x: np.ndarray, outputs: np.ndarray, description: InputDescription) -> Measured:
    """Return what is compared of a model's outputs (n, ...): probabilities, values, errors, or numbers of boxes."""
    named = {name: np.asarray(each, np.float64) for name, each in _outputs(x, outputs, description)}
    columns = tuple(Column(name=name, kind="number") for name in named)
    return Measured(columns, np.column_stack(list(named.values())), (False,) * len(columns))


def _outputs(x: np.ndarray, outputs: np.ndarray, description: InputDescription) -> list[tuple[str, np.ndarray]]:
    targets = TARGET_KINDS[description.task]
    if targets == "class":
        first = 1 if len(description.classes) == 2 else 0  # of two classes, the other probability says the same
        rounded = np.round(outputs.T[first:], DECIMALS)  # a millionth and a billionth are the same answer
        return [
            (f"probability of {name}", each) for name, each in zip(description.classes[first:], rounded, strict=True)
        ]
    if targets == "number":
        return [("predicted value", outputs.reshape(len(outputs)))]
    table = TASKS[description.task].prediction_table(PredictedSamples(x, outputs, description))
    if targets == "boxes":
        best = table.groupby(table.index).score.max().reindex(range(len(x)), fill_value=0.0)
        boxes = np.bincount(table.index, minlength=len(x))
        return [("predicted boxes", boxes), ("highest score", best.to_numpy())]
    return [("squared error", table.squared_error.to_numpy())]
