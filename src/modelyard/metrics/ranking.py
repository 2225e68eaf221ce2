"""How well probabilities rank the samples of two classes: ROC AUC and average precision, vectorized along an axis."""

import numpy as np


def roc_auc(truth: np.ndarray, positive: np.ndarray, axis: int = -1) -> np.ndarray:
    """Area under the ROC curve; 0.5, as of a constant, where only one class occurs.

    That is the chance that a sample of class 1 has a higher probability than one of class 0, equal ones counted half:
    the statistic of Mann and Whitney (1947), from the mean ranks of tied samples.

    Args:
        truth: class numbers 0 and 1.
        positive: the probability of class 1.
        axis: the axis of the samples.
    """
    from scipy.stats import rankdata

    ones = np.sum(truth, axis=axis)
    pairs = ones * (truth.shape[axis] - ones)
    ranks = np.sum(rankdata(positive, axis=axis) * truth, axis=axis)
    return np.where(pairs, (ranks - ones * (ones + 1) / 2) / np.maximum(pairs, 1), 0.5)


def average_precision(truth: np.ndarray, positive: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean over the samples of class 1 of the precision at their probability as threshold; 0 where there are none.

    The arguments are those of `roc_auc`. Source: sklearn.metrics.average_precision_score.
    """
    from scipy.stats import rankdata

    truth, positive = np.moveaxis(truth, axis, -1), np.moveaxis(positive, axis, -1)
    found = rankdata(-positive, method="max", axis=-1).astype(np.int64)  # samples with at least this probability
    hits = np.cumsum(np.take_along_axis(truth, np.argsort(-positive, axis=-1), axis=-1), axis=-1)
    precision = np.take_along_axis(hits, found - 1, axis=-1) / found
    return np.asarray(np.sum(precision * truth, axis=-1) / np.maximum(np.sum(truth, axis=-1), 1))
