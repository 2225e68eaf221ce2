"""Swaps labels on purpose, and counts how many of them are among the first that `modelyard label-errors` lists.

    .venv/bin/python -m benchmarks.label_errors     # writes docs/evaluation.md

Takes about two minutes on two cores. The data sets come with scikit-learn.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

from modelyard.core.report_text import fill, markdown_table
from modelyard.data.inputs import InputSettings, TrainingInput, prepare
from modelyard.data.readers import RawData
from modelyard.data.samples import Samples
from modelyard.experiments.label_errors import find_label_errors, out_of_fold_probabilities
from modelyard.models import Runtime
from modelyard.params.project import AnyExperiment, EstimatorExperiment, NetworkExperiment

ROOT = Path(__file__).resolve().parent.parent
PAGE, BEGIN = ROOT / "docs" / "evaluation.md", "<!-- swapped labels -->"
SWAPPED, FIRST, FOLDS, SEEDS = 100, 150, 5, 3
COLUMNS = (
    "data set",
    "model",
    "samples",
    f"of {SWAPPED} swapped labels among the first {FIRST}",
    "by the probability of the label alone",
    "likely errors",
    "swapped labels among these",
)
NETWORK = {
    "model": {"family": "cnn", "filters": (16, 32), "pooling": "last", "units": (64,)},
    "training": {"seed": 1, "epochs": 15, "batch_size": 32, "loss": "sparse_categorical_crossentropy"},
}


class Case(NamedTuple):
    """A model on a data set."""

    dataset: str
    family: str
    data: TrainingInput
    experiment: AnyExperiment


class Found(NamedTuple):
    """What one seed found of the swapped labels."""

    among_first: int
    by_label_alone: int
    likely_errors: int
    among_likely_errors: int


def cases() -> Iterator[Case]:
    """Two models each on images and on a table."""
    digits, cancer = load_digits(), load_breast_cancer()
    images = RawData(
        Samples(digits.images.astype(np.uint8)[..., np.newaxis], digits.target), classes=tuple("0123456789")
    )
    table = RawData(
        Samples(cancer.data, cancer.target), features=tuple(cancer.feature_names), classes=tuple(cancer.target_names)
    )
    for name, raw, families in (
        ("digits", images, ("logistic", "cnn")),
        ("breast cancer", table, ("logistic", "forest")),
    ):
        settings = InputSettings(dataset=name, split={"test": "training_samples"}, scaling="standard")
        data, _ = prepare(raw, "classification", settings)
        for family in families:
            yield Case(name, family, data, _experiment(name, family))


def swap_labels(y: np.ndarray, classes: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give some samples another class, drawn at random; returns all labels, and which samples these are."""
    random = np.random.default_rng(seed)
    which = random.choice(len(y), count, replace=False)
    swapped = y.copy()
    swapped[which] = (y[which] + random.integers(1, classes, count)) % classes
    return swapped, which


def find_swapped(case: Case, seed: int, count: int = SWAPPED, first: int = FIRST) -> Found:
    """Swap labels of a case and look for them."""
    x, y = case.data.samples.x, np.asarray(case.data.samples.y)
    labels, which = swap_labels(y, len(case.data.description.classes), count, seed)
    data = replace(case.data, samples=Samples(x, labels))
    probabilities = out_of_fold_probabilities(case.experiment, data, FOLDS, Runtime())
    ranked = find_label_errors(labels, probabilities)
    alone = np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")
    likely = ranked.index[ranked.likely_error]
    return Found(
        int(np.isin(ranked.index[:first], which).sum()),
        int(np.isin(alone[:first], which).sum()),
        len(likely),
        int(np.isin(likely, which).sum()),
    )


def main() -> None:
    """Measure all cases and write the table."""
    rows = []
    for case in cases():
        found = [find_swapped(case, seed) for seed in range(SEEDS)]
        rows.append((case.dataset, case.family, str(len(case.data.samples)), *map(_spread, zip(*found, strict=True))))
        print(*rows[-1], sep="  ", flush=True)
    fill(PAGE, markdown_table(COLUMNS, rows), start=BEGIN)


def _experiment(dataset: str, family: str) -> AnyExperiment:
    if family == "cnn":
        return NetworkExperiment.model_validate({"input": dataset, **NETWORK})
    settings: dict[str, Any] = {"input": dataset, "model": {"family": family}, "training": {"seed": 1}}
    return EstimatorExperiment.model_validate(settings)


def _spread(values: tuple[int, ...]) -> str:
    """The mean of some counts, and the smallest and largest."""
    return f"{np.mean(values):.1f} ({min(values)} to {max(values)})"


if __name__ == "__main__":
    main()
