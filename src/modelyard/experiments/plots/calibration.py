"""The reliability diagram of a classification."""

import numpy as np
from matplotlib.figure import Figure

from modelyard.experiments.plots.style import COLOURS
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.metrics.calibration import BINS, calibration_bins


def calibration(happened: np.ndarray, probability: np.ndarray, of: str, share_of: str) -> Figure:
    """A reliability diagram of ten bins of equal width over the number of samples in each.

    Each point is the share of a bin's samples for which the class came true, with its 95 % Wilson interval, at the mean
    of their probabilities; on the diagonal both agree.

    Args:
        happened: whether the class is the true one (n,).
        probability: its probability (n,).
        of: what the probability is of, for an axis.
        share_of: the samples for which it came true, for the other axis.
    """
    from statsmodels.stats.proportion import proportion_confint

    counts, shares, means = calibration_bins(happened, probability)
    used = counts > 0
    share, mean = shares[used], means[used]
    figure = Figure(figsize=(5, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.set(ylabel=f"share of {share_of}", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    upper.plot([0, 1], [0, 1], color="grey", linewidth=1, label="calibrated")
    low, high = proportion_confint(share * counts[used], counts[used], 1 - CONFIDENCE, method="wilson")
    reach = np.stack([share - low, high - share])
    style = {"color": COLOURS["train"], "markersize": 5, "capsize": 2, "label": "test samples (95 % interval)"}
    upper.errorbar(mean, share, yerr=np.maximum(reach, 0), fmt="o", **style)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    lower.set(xlabel=f"probability of {of}", ylabel="samples", ylim=(0, 1.25 * counts.max()))
    bars = lower.bar((np.arange(BINS) + 0.5) / BINS, counts, width=0.9 / BINS, color=COLOURS["train"], alpha=0.5)
    lower.bar_label(bars, [str(count) if count else "" for count in counts], fontsize="x-small")
    return figure
