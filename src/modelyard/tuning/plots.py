"""Pictures of a study, in the style of the others."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna import Study
from optuna.distributions import CategoricalDistribution
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial

from modelyard.experiments.plots.style import BLACK, BLUE, RED, YELLOW
from modelyard.tuning.results import StudyResults

COLOURS = "cividis"  # told apart by colour-blind eyes, and in grey
COLUMNS = 3  # of small pictures
LABEL = {"fontsize": "small", "parse_math": False, "bbox": {"color": "white", "alpha": 0.7, "pad": 1}}
FAR = 50  # values that differ by more are drawn on a logarithmic axis


@dataclass(frozen=True)
class Parameter:
    """What varies: a range, or choices, which are drawn side by side."""

    name: str
    choices: tuple[str, ...]
    low: float
    high: float
    log: bool

    def place(self, value: Any) -> float:
        """Where a value stands on an axis: a choice at its number from 0."""
        return self.choices.index(str(value)) if self.choices else value

    def share(self, value: Any) -> float:
        """How far a value is from the lowest (0) to the highest (1)."""
        low, high, place = (np.log(each) if self.log else each for each in (self.low, self.high, self.place(value)))
        return (place - low) / ((high - low) or 1)

    @property
    def ticks(self) -> dict[float, str]:
        """What stands along its axis, by its share of the way."""
        if self.choices:
            return {self.share(choice): choice for choice in self.choices}
        return {self.share(value): f"{value:.3g}" for value in (self.low, self.high)}


def draw(found: StudyResults, shares: dict[str, float]) -> dict[str, Figure]:
    """Each picture by its file name; none before a trial has finished, none of importances before there are any."""
    if not found.finished:
        return {}
    drawn = {"history.png": history(found), "slice.png": slices(found), "parallel.png": parallel(found)}
    return drawn | ({"importances.png": importance_bars(shares)} if shares else {})


def importances(study: Study) -> dict[str, float]:
    """How much of the score's differences each parameter explains, the most important first; empty with few trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # Optuna would call all equally important
        try:
            return get_param_importances(study)
        except UserWarning:
            return {}


def history(found: StudyResults) -> Figure:
    """The score of each trial in their order, the best so far, and the present experiment."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="trial", ylabel=found.metric)
    axes.xaxis.get_major_locator().set_params(integer=True)
    given_up = [trial for trial in found.pruned if trial.value is not None]
    for trials, mark, colour, label in ((found.finished, "o", BLUE, "finished"), (given_up, "x", YELLOW, "pruned")):
        axes.plot(_numbers(trials), _scores(trials), mark, color=colour, label=label)
    best = (np.maximum if found.up else np.minimum).accumulate(_scores(found.finished))
    axes.step(_numbers(found.finished), best, where="post", color=BLACK, label="best so far")
    if found.present:
        axes.axhline(found.present.value, color=RED, linestyle="--", label="present experiment")
    axes.set_yscale(_scale(_scores(found.finished + given_up)))
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def importance_bars(shares: dict[str, float]) -> Figure:
    """A bar for each parameter, the most important on top."""
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(shares)), layout="constrained")
    axes = figure.add_subplot(xlabel="share of the importance", xlim=(0, 1))
    bars = axes.barh(list(shares), list(shares.values()), color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    return figure


def slices(found: StudyResults) -> Figure:
    """The score over each parameter's values, a point a trial, later ones brighter."""
    parameters = _parameters(found)
    columns = min(COLUMNS, len(parameters))
    rows = -(-len(parameters) // columns)
    figure = Figure(figsize=(1 + 3 * columns, 0.6 + 2.8 * rows), layout="constrained")
    places = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in places.ravel()[len(parameters) :]:
        axes.set_axis_off()
    for axes, parameter in zip(places.ravel(), parameters, strict=False):
        points = _slice(axes, parameter, found.finished)
        axes.set_yscale(_scale(_scores(found.finished)))
    for axes in places[:, 0]:
        axes.set_ylabel(found.metric)
    figure.colorbar(points, ax=list(places.ravel()), label="trial", shrink=0.8)
    return figure


def parallel(found: StudyResults) -> Figure:
    """A line a trial through its values and its score; better ones brighter, the best one thick."""
    parameters = [*_parameters(found), _score_axis(found)]
    figure = Figure(figsize=(max(7, 1.6 * len(parameters)), 4.6), layout="constrained")
    axes = figure.add_subplot(xlim=(-0.3, len(parameters) - 0.4), ylim=(-0.05, 1.05), yticks=[])
    axes.set_xticks(range(len(parameters)), [each.name.replace(".", ".\n", 1) for each in parameters])
    axes.tick_params(length=0)
    axes.spines[["left", "right", "top", "bottom"]].set_visible(False)
    for place, parameter in enumerate(parameters):
        axes.axvline(place, color=BLACK, linewidth=0.8)
        for share, label in parameter.ticks.items():
            axes.text(place + 0.05, share, label, va="center", **LABEL)
    worst_first = sorted(found.finished, key=found.rank, reverse=True)
    for trial, colour in zip(worst_first, _shades(len(worst_first)), strict=True):
        values = {**trial.params, found.metric: trial.value}
        way = [each.share(values[each.name]) for each in parameters]
        is_best = trial is worst_first[-1]
        axes.plot(way, color=RED if is_best else colour, linewidth=3 if is_best else 1, alpha=0.8)
    return figure


def _slice(axes: Axes, parameter: Parameter, trials: Sequence[FrozenTrial]) -> Any:
    places = [parameter.place(trial.params[parameter.name]) for trial in trials]
    axes.set_xlabel(parameter.name)
    if parameter.log:
        axes.set_xscale("log")
    if parameter.choices:
        axes.set_xticks(range(len(parameter.choices)), parameter.choices, rotation=30, ha="right", parse_math=False)
        axes.set_xlim(-0.5, len(parameter.choices) - 0.5)
    return axes.scatter(places, _scores(trials), c=_numbers(trials), cmap=COLOURS, edgecolors=BLACK, linewidths=0.5)


def _parameters(found: StudyResults) -> list[Parameter]:
    """What varied in the trials that have a score, in the order of their names."""
    all_of_them = {name: each for trial in found.finished for name, each in trial.distributions.items()}
    return [_parameter(name, all_of_them[name]) for name in sorted(all_of_them)]


def _parameter(name: str, distribution: Any) -> Parameter:
    if isinstance(distribution, CategoricalDistribution):
        choices = tuple(map(str, distribution.choices))
        return Parameter(name, choices, 0, len(choices) - 1, False)
    return Parameter(name, (), distribution.low, distribution.high, distribution.log)


def _score_axis(found: StudyResults) -> Parameter:
    scores = _scores(found.finished)
    return Parameter(found.metric, (), scores.min(), scores.max(), _scale(scores) == "log")


def _shades(count: int) -> np.ndarray:
    """Colours (count, 4) by rank and not by score: one bad score would make all others look alike."""
    from matplotlib import colormaps

    return colormaps[COLOURS](np.linspace(0, 1, count))


def _numbers(trials: Sequence[FrozenTrial]) -> list[int]:
    return [trial.number for trial in trials]


def _scores(trials: Sequence[FrozenTrial]) -> np.ndarray:
    return np.array([trial.value for trial in trials], dtype=np.float64)


def _scale(values: np.ndarray) -> str:
    return "log" if values.min() > 0 and values.max() > FAR * values.min() else "linear"
