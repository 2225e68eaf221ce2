"""Where the results of an experiment lie, which DVC stages make them, and the one reader of their files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from modelyard.core.files import read_json
from modelyard.params.project import Project

if TYPE_CHECKING:
    import pandas as pd

PRETRAINED_STAGES = "pretrained/dvc.yaml:"
"""What DVC puts before the names of the stages of that file."""


class _Section(NamedTuple):
    """Of the experiments of one section of params.yaml: the folder of their results, and the names of their stages."""

    folder: str
    train: str
    evaluate: str


_SECTIONS = {
    "experiments": _Section("results", "train@", "evaluate@"),
    "transfers": _Section("results", "train_transfer@", "evaluate_transfer@"),
    "pretrained": _Section("pretrained/results", f"{PRETRAINED_STAGES}train@", f"{PRETRAINED_STAGES}evaluate@"),
}


def results_folder(section: str, experiment: str) -> str:
    """The folder of an experiment's results within the project."""
    return f"{_SECTIONS[section].folder}/{experiment}"


def train_stage(section: str, experiment: str) -> str:
    """The name of the stage that trains an experiment."""
    return _SECTIONS[section].train + experiment


def evaluate_stage(section: str, experiment: str) -> str:
    """The name of the stage that evaluates an experiment."""
    return _SECTIONS[section].evaluate + experiment


def train_stages(experiment: str) -> list[str]:
    """Every name that the stage which trains an experiment can have."""
    return [train_stage(section, experiment) for section in _SECTIONS]


@dataclass(frozen=True)
class ExperimentResults:
    """The files that training and evaluation write into one folder."""

    folder: Path

    @property
    def model(self) -> Path:
        """The folder of the model; it is not in git, so that only a rebuild or DVC brings it."""
        return self.folder / "model"

    @property
    def plots(self) -> Path:
        """The folder of the plots."""
        return self.folder / "figures"

    @property
    def predictions(self) -> Path:
        """The table of predictions on test samples."""
        return self.folder / "predictions.csv"

    @property
    def is_evaluated(self) -> bool:
        """Whether there are metrics: made here, or committed by someone."""
        return all((self.folder / name).exists() for name in ("metrics.json", "details.json"))

    @property
    def is_built(self) -> bool:
        """Whether the model itself is here."""
        return self.model.is_dir()

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics on test samples, by name."""
        return read_json(self.folder / "metrics.json")

    @property
    def details(self) -> dict[str, Any]:
        """What else evaluation found: `intervals` of the metrics by name, and `classes` where there are classes."""
        return read_json(self.folder / "details.json")

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % interval of each metric."""
        return {name: (low, high) for name, (low, high) in self.details["intervals"].items()}

    def history(self) -> "pd.DataFrame":
        """The learning curve: one row per epoch."""
        import pandas as pd

        return pd.read_csv(self.folder / "history.csv")


def results_of(project: Project, experiment: str, root: Path = Path()) -> ExperimentResults:
    """The results of an experiment of params.yaml, whichever section it stands in.

    Raises:
        ModelyardError: there is no such experiment.
    """
    return ExperimentResults(root / results_folder(project.section_of(experiment), experiment))
