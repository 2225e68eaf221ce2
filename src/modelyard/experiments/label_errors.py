"""Likely label errors: the training and validation samples whose class a model doubts that was not trained on them.

Confident learning of Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, Journal
of Artificial Intelligence Research 70 (2021). It sees no test sample.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.columns import RARE, SMALLEST_CATEGORY
from modelyard.data.cross_validation import divide_folds, evaluation_folds
from modelyard.data.inputs import TrainingInput
from modelyard.data.preprocessing import by_feature
from modelyard.data.samples import TARGET_KINDS, Task
from modelyard.experiments.fold_evaluation import fit_fold, validation_share
from modelyard.params.project import EstimatorExperiment, NetworkExperiment

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PICTURES, COLUMNS = 40, 8  # of the sheet
WORDS = 12  # of a text


def check_task(task: Task) -> None:
    """Refuse an experiment without labels.

    Raises:
        ModelyardError: its task is no classification.
    """
    if TARGET_KINDS[task] != "class":
        raise ModelyardError(f"label errors are those of a classification, and this experiment is a {task}")


def find_label_errors(labels: np.ndarray, probabilities: np.ndarray) -> "pd.DataFrame":
    """Rank samples by how doubtful their label is, the most doubtful first.

    A class is likely for a sample if its probability is at least the mean probability of the class among the samples
    with this label. The label is a likely error if another class is the likeliest of these, the label's own included.
    First come the likely errors, then all others; both in the order of the probability of the label minus that of the
    likeliest other class.

    Args:
        labels: class numbers (n,).
        probabilities: out-of-fold probabilities (n, classes); samples with NaN are left out.

    Returns:
        Columns: label, suggested (class numbers), probability_of_label, probability_of_suggested, likely_error. The
        index has the positions of the samples.
    """
    import pandas as pd

    (known,) = np.nonzero(np.isfinite(probabilities).all(axis=1))
    labels, probabilities, samples = labels[known].astype(np.int64), probabilities[known], np.arange(len(known))
    present = np.unique(labels)
    thresholds = np.full(probabilities.shape[1], np.inf)
    thresholds[present] = [probabilities[labels == label, label].mean() for label in present]
    likely = np.where(probabilities >= thresholds, probabilities, -1.0)
    is_error = (likely.max(axis=1) >= 0) & (likely.argmax(axis=1) != labels)
    others = np.where(np.arange(probabilities.shape[1]) == labels[:, np.newaxis], -1.0, probabilities)
    suggested = np.where(is_error, likely.argmax(axis=1), others.argmax(axis=1))
    table = pd.DataFrame(
        {
            "label": labels,
            "suggested": suggested,
            "probability_of_label": probabilities[samples, labels],
            "probability_of_suggested": probabilities[samples, suggested],
            "likely_error": is_error,
        },
        index=known,
    )
    margin = table.probability_of_label - others.max(axis=1)
    return table.iloc[np.lexsort((margin.to_numpy(), ~is_error))]


def out_of_fold_probabilities(
    experiment: NetworkExperiment | EstimatorExperiment,
    data: TrainingInput,
    folds: int,
    runtime: models.Runtime,
    finished: Callable[[int], None] = lambda _: None,
) -> np.ndarray:
    """Predict each training and validation sample by a model that is fitted anew without its fold.

    Args:
        experiment: whose model is fitted.
        data: its training and validation samples; the folds are by class, group or in time where its split is.
        folds: how many.
        runtime: how to use the machine.
        finished: is called after each fold with its number, from 1.

    Returns:
        Probabilities (n, classes); NaN for the first samples of an input that is split in time, which are in no fold.

    Raises:
        ModelyardError: the samples do not suffice for so many folds.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that every network is traced again
    seed, probabilities = experiment.training.seed, np.full((len(data.samples), len(data.description.classes)), np.nan)
    divisions = divide_folds(data, folds, seed)
    fits = evaluation_folds(data, folds, seed, validation_share(experiment, data))
    for number, ((_, held_out), (fitted_on, samples)) in enumerate(zip(divisions, fits, strict=True), start=1):
        probabilities[held_out] = fit_fold(experiment, fitted_on, seed, runtime).predict(samples.x)
        finished(number)
    return probabilities


def describe_samples(ranked: "pd.DataFrame", data: TrainingInput, positions: np.ndarray) -> "pd.DataFrame":
    """Name the samples of a ranking: the row of each in the data set, from 1, the classes, and the features of a table.

    The table is kept, and may be handed on: it has no text, and categories of fewer than SMALLEST_CATEGORY samples are
    RARE in it.

    Args:
        ranked: as `find_label_errors` returns it.
        data: the samples.
        positions: where each stands in the data set, see `inputs.training_positions`.

    Returns:
        Columns: row, those of `ranked` with the names of the classes, and the features of a table; one that is called
        like another column, such as `row`, is `feature: row`.
    """
    classes = np.array(data.description.classes)
    table = ranked.assign(label=classes[ranked.label], suggested=classes[ranked.suggested])
    table.insert(0, "row", positions[ranked.index] + 1)
    for name, values in _features(data, ranked.index.to_numpy()).items():
        table[f"feature: {name}" if name in table else name] = values
    return table.reset_index(drop=True)


def first_words(ranked: "pd.DataFrame", data: TrainingInput) -> list[str]:
    """Return the first words of the texts of a ranking, to be shown and not kept; nothing if they are no texts."""
    words = np.array(data.description.words, dtype=object)
    rows = data.samples.x[ranked.index] if len(words) else ()
    return [" ".join(filter(None, words[row[row > 0]][:WORDS])) for row in rows]


def plot_label_errors(table: "pd.DataFrame", images: np.ndarray, white: float) -> "Figure":
    """A sheet of the first images, each titled by its row, its label and the suggested class.

    Args:
        table: as `describe_samples` returns it.
        images: the images of its rows (n, height, width, channels).
        white: the value of a white pixel.
    """
    from modelyard.experiments import plots

    first = table.head(PICTURES)
    titles = [
        (f"row {row.row}, label {row.label}\n{row.suggested}? ({row.probability_of_suggested:.1%})", plots.WRONG)
        for row in first.itertuples()
    ]
    return plots.titled_images(images[: len(first)], titles, white, COLUMNS)


def _features(data: TrainingInput, rows: np.ndarray) -> dict[str, np.ndarray]:
    description = data.description
    if not description.features:
        return {}
    shown: dict[str, np.ndarray] = dict(zip(description.features, data.samples.take(rows).x.T, strict=True))
    for feature in by_feature(description.columns):
        if feature.column.kind == "category":
            names = np.array([*feature.column.categories, ""], dtype=object)  # a gap is the last
            codes = np.asarray(data.samples.x[:, feature.position])
            codes = np.where(np.isnan(codes), len(names) - 1, codes).astype(int)
            names[:-1][np.bincount(codes, minlength=len(names))[:-1] < SMALLEST_CATEGORY] = RARE
            shown[feature.column.name] = names[codes[rows]]
    return shown
