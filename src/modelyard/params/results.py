"""Where the results of each experiment are, which DVC stages write them, and how to read them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, FiniteFloat, TypeAdapter, ValidationError

from modelyard.core.config import first_error
from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum, parse_json, read_text
from modelyard.data.decision_threshold import DecisionThreshold, goal_name

if TYPE_CHECKING:
    import pandas as pd

    from modelyard.params.project import Project

Content = TypeVar("Content")

# What the result files contain; other values are refused.
METRICS = TypeAdapter(dict[str, FiniteFloat])
_DETAILS = TypeAdapter(dict[str, Any])
INTERVALS = TypeAdapter(dict[str, tuple[FiniteFloat, FiniteFloat]])
_FOLDS: TypeAdapter["FoldResults | None"] = TypeAdapter("FoldResults | None")
_SLICES: TypeAdapter["SliceResults | None"] = TypeAdapter("SliceResults | None")
_THRESHOLD: TypeAdapter["ThresholdResults | None"] = TypeAdapter("ThresholdResults | None")
_ROWS = TypeAdapter(int)
_CLASSES = TypeAdapter(dict[str, dict[str, float | None]])

PRETRAINED_STAGES = "pretrained/dvc.yaml:"
"""The prefix of DVC's names for the stages of pretrained/dvc.yaml."""


class _Section(NamedTuple):
    """Results folder and stage names of the experiments in one section of params.yaml."""

    folder: str
    train: str
    evaluate: str
    export: str


_SECTIONS = {
    "experiments": _Section("results", "train@", "evaluate@", "export@"),
    "transfers": _Section("results", "train_transfer@", "evaluate_transfer@", "export_transfer@"),
    "pretrained": _Section(
        "pretrained/results",
        f"{PRETRAINED_STAGES}train@",
        f"{PRETRAINED_STAGES}evaluate@",
        f"{PRETRAINED_STAGES}export@",
    ),
}
SECTIONS = tuple(_SECTIONS)
"""The sections of params.yaml that hold experiments."""


def results_root(section: str) -> str:
    """The folder that holds the results folders of a section's experiments, relative to the project."""
    return _SECTIONS[section].folder


def results_folder(section: str, experiment: str) -> str:
    """The results folder of an experiment, relative to the project."""
    return f"{results_root(section)}/{experiment}"


def train_stage(section: str, experiment: str) -> str:
    """The name of the stage that trains an experiment."""
    return _SECTIONS[section].train + experiment


def evaluate_stage(section: str, experiment: str) -> str:
    """The name of the stage that evaluates an experiment."""
    return _SECTIONS[section].evaluate + experiment


def export_stage(section: str, experiment: str) -> str:
    """The name of the stage that converts the model of an experiment to ONNX."""
    return _SECTIONS[section].export + experiment


def contract_stage(input_name: str) -> str:
    """The name of the stage that describes the training samples of an input."""
    return f"contract@{input_name}"


def batch_stage(name: str) -> str:
    """The name of the stage that predicts an entry of `batches`."""
    return f"batch@{name}"


def evaluations(experiment: str) -> "dict[str, ExperimentResults]":
    """The results of an experiment in any section, by the name of the stage that evaluates it."""
    return {
        evaluate_stage(section, experiment): ExperimentResults(Path(results_folder(section, experiment)))
        for section in _SECTIONS
    }


class MetricOverFolds(BaseModel):
    """The mean of a metric over folds, and the 95 % confidence interval of the mean."""

    mean: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat


class FoldResults(BaseModel):
    """The results of `evaluate`: how many folds, how often, and each metric."""

    folds: int
    repeats: int
    metrics: dict[str, MetricOverFolds]

    def text(self, metric: str) -> str:
        """One metric with its interval, and what was done."""
        found, times = self.metrics[metric], f", {self.repeats} times" if self.repeats > 1 else ""
        value = f"{metric} {found.mean:.4g} ({found.low:.4g} to {found.high:.4g})"
        return f"{value} in {self.folds} folds of the training samples{times}"


class SliceResult(BaseModel):
    """A metric of the test samples of one slice, its 95 % confidence interval, and their number."""

    rows: int
    value: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat


class SliceResults(BaseModel):
    """The headline metric of each slice, by column and value."""

    metric: str
    columns: dict[str, dict[str, SliceResult]]


class ThresholdResults(DecisionThreshold):
    """A decision threshold, and what it gains on the test samples."""

    test: FiniteFloat
    test_at_half: FiniteFloat

    def text(self, positive_class: str) -> str:
        """What is decided by it, what it was chosen for, and the values with it and without it."""
        return (
            f"class {positive_class} is predicted from a probability of {self.value:.4g} on, chosen for the best "
            f"{goal_name(self.goal)} of {self.validation_samples} validation samples: {self.validation:.4g} there, "
            f"{self.validation_at_half:.4g} with 0.5; {self.test:.4g} on the test samples, {self.test_at_half:.4g} "
            "with 0.5"
        )


@dataclass(frozen=True)
class ExperimentResults:
    """The files that training and evaluation of one experiment write."""

    folder: Path

    @property
    def model(self) -> Path:
        """The folder of the saved model; git ignores it, so a clone has it only after `modelyard run` or `dvc pull`."""
        return self.folder / "model"

    @property
    def plots(self) -> Path:
        """The folder of the plots."""
        return self.folder / "figures"

    @property
    def predictions(self) -> Path:
        """The predictions on test samples, a CSV file."""
        return self.folder / "predictions.csv"

    @property
    def card(self) -> Path:
        """The card of the model in Markdown."""
        return self.folder / "card.md"

    @property
    def has_card(self) -> bool:
        """Whether there is a card of these metrics; one of earlier metrics names another MD5."""
        metrics = self.folder / "metrics.json"
        if not (metrics.exists() and self.card.exists()):
            return False
        return f"`{checksum(metrics, 'md5')}`".encode() in self.card.read_bytes()

    @property
    def outside_git(self) -> tuple[Path, ...]:
        """The files and folders that git ignores, and DVC keeps."""
        return (self.model, self.folder / "onnx", self.folder / "history.csv", self.predictions, self.plots)

    @property
    def is_evaluated(self) -> bool:
        """Whether metrics and details are there, built here or committed."""
        return all((self.folder / name).exists() for name in ("metrics.json", "details.json"))

    @property
    def is_built(self) -> bool:
        """Whether the model itself is there."""
        return self.model.is_dir()

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics on test samples by name.

        Raises:
            ModelyardError: as for every property below, and for `history`: the file is not what this version writes.
        """
        return self._checked("metrics.json", METRICS, self._json("metrics.json"))

    @property
    def details(self) -> dict[str, Any]:
        """Further results of the evaluation: `rows`, `intervals` by metric, and `classes` of a classification."""
        return self._checked("details.json", _DETAILS, self._json("details.json"))

    @property
    def rows(self) -> int:
        """The number of test samples."""
        return self._checked("details.json", _ROWS, self.details.get("rows"))

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % confidence interval (low, high) of each metric."""
        return self._checked("details.json", INTERVALS, self.details.get("intervals"))

    @property
    def classes(self) -> dict[str, dict[str, float | None]]:
        """Values on test samples by class and name; empty unless it is a classification."""
        return self._checked("details.json", _CLASSES, self.details.get("classes", {}))

    @property
    def positive_class(self) -> str:
        """The class of which the metrics of two classes are; empty for other tasks and numbers of classes."""
        return str(self.details.get("positive_class", ""))

    @property
    def threshold(self) -> ThresholdResults | None:
        """The decision threshold, if the model has one."""
        return self._checked("details.json", _THRESHOLD, self.details.get("threshold"))

    @property
    def slices(self) -> SliceResults | None:
        """The results of each slice, if the input asks for slices."""
        return self._checked("details.json", _SLICES, self.details.get("slices"))

    @property
    def folds(self) -> FoldResults | None:
        """The results of the evaluation by folds, if the experiment has one."""
        return self._checked("details.json", _FOLDS, self.details.get("folds"))

    def compared(self, metrics: Collection[str]) -> dict[str, tuple[float, float, float]]:
        """The value of each of these metrics, and the ends of its interval.

        Raises:
            ModelyardError: a file lacks one of them, such as the result of another task, or is not readable.
        """
        values, intervals = self.metrics, self.intervals
        missing = [metric for metric in metrics if metric not in values]
        if missing:
            raise ModelyardError(
                f"{self._shown}/metrics.json has {', '.join(values) or 'nothing'}, but not {', '.join(missing)}: "
                "it is of another task or version"
            )
        without = [metric for metric in metrics if metric not in intervals]
        if without:
            raise ModelyardError(f"{self._shown}/details.json has no interval of {', '.join(without)}")
        return {metric: (values[metric], *intervals[metric]) for metric in metrics}

    def history(self) -> "pd.DataFrame":
        """The learning curve, one row per epoch."""
        import pandas as pd

        try:
            return pd.read_csv(self.folder / "history.csv")
        except ValueError as error:  # pandas' errors, and text that is not UTF-8
            raise ModelyardError(f"{self._shown}/history.csv: not a CSV table ({error})") from None

    @property
    def _shown(self) -> Path:
        """The folder as errors show it: without the part that depends on the machine."""
        return Path(*self.folder.parts[-2:])

    def _json(self, name: str) -> Any:
        return parse_json(read_text(self.folder / name), self._shown / name)

    def _checked(self, name: str, kind: TypeAdapter[Content], content: Any) -> Content:
        try:
            return kind.validate_python(content)
        except ValidationError as invalid:
            raise ModelyardError(
                f"{self._shown}/{name}: not what an evaluation writes ({first_error(invalid)})"
            ) from None


def results_of(project: "Project", experiment: str, root: Path = Path()) -> ExperimentResults:
    """The results of an experiment of any section of params.yaml.

    Raises:
        ModelyardError: there is no such experiment.
    """
    return ExperimentResults(root / results_folder(project.section_of(experiment), experiment))
