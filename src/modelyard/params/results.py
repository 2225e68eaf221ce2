"""Where the results of each experiment are, which DVC stages write them, and how to read them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from modelyard.core.files import read_json
from modelyard.params.project import Project

if TYPE_CHECKING:
    import pandas as pd

PRETRAINED_STAGES = "pretrained/dvc.yaml:"
"""The prefix of DVC's names for the stages of pretrained/dvc.yaml."""


class _Section(NamedTuple):
    """Results folder and stage names of the experiments in one section of params.yaml."""

    folder: str
    train: str
    evaluate: str


_SECTIONS = {
    "experiments": _Section("results", "train@", "evaluate@"),
    "transfers": _Section("results", "train_transfer@", "evaluate_transfer@"),
    "pretrained": _Section("pretrained/results", f"{PRETRAINED_STAGES}train@", f"{PRETRAINED_STAGES}evaluate@"),
}


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


def train_stages(experiment: str) -> list[str]:
    """The names that the training stage of an experiment has in any section."""
    return [train_stage(section, experiment) for section in _SECTIONS]


def evaluations(experiment: str) -> "dict[str, ExperimentResults]":
    """The results of an experiment in any section, by the name of the stage that evaluates it."""
    return {
        evaluate_stage(section, experiment): ExperimentResults(Path(results_folder(section, experiment)))
        for section in _SECTIONS
    }


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
    def is_evaluated(self) -> bool:
        """Whether metrics and details are there, built here or committed."""
        return all((self.folder / name).exists() for name in ("metrics.json", "details.json"))

    @property
    def is_built(self) -> bool:
        """Whether the model itself is there."""
        return self.model.is_dir()

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics on test samples by name."""
        metrics: dict[str, float] = read_json(self.folder / "metrics.json")
        return metrics

    @property
    def details(self) -> dict[str, Any]:
        """Further results of the evaluation: `rows`, `intervals` by metric, and `classes` of a classification."""
        details: dict[str, Any] = read_json(self.folder / "details.json")
        return details

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % confidence interval (low, high) of each metric."""
        return {name: (low, high) for name, (low, high) in self.details["intervals"].items()}

    def history(self) -> "pd.DataFrame":
        """The learning curve, one row per epoch."""
        import pandas as pd

        return pd.read_csv(self.folder / "history.csv")


def results_of(project: Project, experiment: str, root: Path = Path()) -> ExperimentResults:
    """The results of an experiment of any section of params.yaml.

    Raises:
        ModelyardError: there is no such experiment.
    """
    return ExperimentResults(root / results_folder(project.section_of(experiment), experiment))
