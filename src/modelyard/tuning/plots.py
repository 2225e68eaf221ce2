"""Plots of a study by Optuna: PNG files for the report, and one interactive page."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryLocator
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter
from optuna import Study, create_study, visualization
from optuna.exceptions import ExperimentalWarning
from optuna.importance import BaseImportanceEvaluator, FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial
from optuna.visualization import matplotlib as optuna_plots
from plotly import io
from plotly.offline import get_plotlyjs

from modelyard.core.files import write_text
from modelyard.experiments.plots.style import BLACK, DPI, YELLOW
from modelyard.tuning.results import StudyResults, epochs_run, epochs_spared, score

LOG_RATIO = 50  # scores whose ratio is larger are drawn on a logarithmic axis
MIN_TRIALS = 5  # for importances
COLORMAP = "cividis"  # its lightest colour is visible on white, unlike that of Optuna's
INTERACTIVE: dict[str, Callable[..., object]] = {
    "history": visualization.plot_optimization_history,
    "importances": visualization.plot_param_importances,
    "slice": visualization.plot_slice,
    "parallel": visualization.plot_parallel_coordinate,
    "pareto": visualization.plot_pareto_front,
}
PLOTLY_CONFIG = {"displaylogo": False, "showSendToCloud": False}  # no link to its makers, no button that uploads


def importances(results: StudyResults) -> dict[str, float]:
    """Return each parameter's share of the differences between scores, largest first.

    It is {} with too few trials, and where their scores do not differ.
    """
    study = study_of_scores(results)
    values = [trial.value for trial in study.get_trials(deepcopy=False)]
    if len(values) < MIN_TRIALS or len(set(values)) < 2 or not results.sampled:
        return {}
    # Not by Optuna's default, PED-ANOVA: it asks what is special about the best tenth, here two to four trials.
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0), params=results.sampled)


@dataclass(frozen=True)
class KnownImportances(BaseImportanceEvaluator):
    """Hands importances to Optuna's plots, which would compute them again."""

    shares: dict[str, float]

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return the importances."""
        return self.shares


def study_of_scores(results: StudyResults) -> Study:
    """Return the study for importances: one value per trial, for pruned ones too, without which much would be missing.

    A pruned trial has the score of the finished one that was nearest to it at the step at which it was pruned.
    """
    copy = create_study(direction="maximize" if results.maximize else "minimize")
    for trial in (*results.finished, *results.pruned):
        value = score(trial) if trial.state is TrialState.COMPLETE else _expected_score(trial, results.finished)
        if value is not None:
            copy.add_trial(create_trial(value=value, params=trial.params, distributions=trial.distributions))
    return copy


def _expected_score(pruned: FrozenTrial, finished: Iterable[FrozenTrial]) -> float | None:
    if not pruned.intermediate_values:
        return None
    step, value = max(pruned.intermediate_values.items())
    distances = [
        (abs(trial.intermediate_values[step] - value), score(trial))
        for trial in finished
        if step in trial.intermediate_values
    ]
    return min(distances)[1] if distances else None


def save_plots(study: Study, results: StudyResults, folder: Path, shares: dict[str, float]) -> list[str]:
    """Draw a study, with its importances if it has any, into PNG files and plots.html.

    Returns:
        The names of the PNG files, none before a trial has finished.
    """
    if not results.finished:
        return []
    plots: dict[str, Callable[[Study, StudyResults], Figure]] = {"history": draw_history, "compute": draw_compute}
    if results.sampled:  # not of a study that varies the number of epochs only
        plots |= {"slice": draw_slices, "parallel": draw_parallel}
    if results.sizes:
        plots["pareto"] = draw_pareto
    if shares:
        plots["importances"] = partial(draw_importances, shares=shares)
    for name, draw in plots.items():
        with _pyplot():
            figure = draw(study, results)
            # Without the version of matplotlib, which would change the bytes.
            figure.savefig(folder / f"{name}.png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    names = [name for name in plots if name in INTERACTIVE]
    write_text(folder / "plots.html", interactive_page(study, results, names, shares))
    return [f"{name}.png" for name in plots]


def draw_history(study: Study, results: StudyResults) -> Figure:
    """Draw the score of each trial in order, the best so far, pruned trials and the baseline."""
    axes = optuna_plots.plot_optimization_history(study, target_name=results.metric, **_score_target(study))
    pruned = {trial.number: trial.value for trial in results.pruned if trial.value is not None}
    axes.plot(list(pruned), list(pruned.values()), "x", color=YELLOW, label="pruned, last score")
    if results.baseline:
        axes.axhline(score(results.baseline), color=BLACK, linestyle="--", label="baseline")
    axes.set_yscale("log" if _far_apart([*map(score, results.finished), *pruned.values()]) else "linear")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, frameon=False, fontsize="small")
    return _sized(axes, 7.5, 4.5)


def draw_compute(_: Study, results: StudyResults) -> Figure:
    """Draw the best score so far over the epochs that the trials had run by then, and would have without pruning."""
    ended = sorted(results.ended, key=lambda trial: (trial.datetime_complete or datetime.max, trial.number))
    better = np.maximum if results.maximize else np.minimum
    unknown = -math.inf if results.maximize else math.inf
    best = better.accumulate([score(each) if each.state is TrialState.COMPLETE else unknown for each in ended])
    run = np.cumsum([epochs_run(trial) for trial in ended])
    planned = run + np.cumsum([epochs_spared(trial) for trial in ended])
    _, axes = pyplot.subplots()
    if results.pruned:
        axes.step(planned, best, where="post", linestyle=":", label="the same trials without pruning")
    axes.step(run, best, where="post", label="this search")
    if results.baseline:
        axes.axhline(score(results.baseline), color=BLACK, linestyle="--", label="baseline")
    axes.set(xlabel="epochs of all trials together", ylabel=f"best {results.metric}", xlim=(0, None))
    axes.set_yscale("log" if _far_apart(map(score, results.finished)) else "linear")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False, fontsize="small")
    return _sized(axes, 7.5, 4.5)


def draw_importances(_: Study, results: StudyResults, shares: dict[str, float]) -> Figure:
    """Draw a bar for each parameter, the most important on top."""
    axes = optuna_plots.plot_param_importances(
        study_of_scores(results), KnownImportances(shares), results.sampled, target_name=results.metric
    )
    axes.legend().remove()
    return _sized(axes, 7, 1.2 + 0.4 * len(axes.get_yticks()))


def draw_slices(study: Study, results: StudyResults) -> Figure:
    """Draw the score over each parameter's values, a point for each finished trial, later ones darker."""
    drawn = optuna_plots.plot_slice(study, params=results.sampled, target_name=results.metric, **_score_target(study))
    panels = [drawn] if isinstance(drawn, Axes) else list(drawn)
    for axes in panels:
        labels = [label.get_text() for label in axes.get_xticklabels()]
        if isinstance(axes.xaxis.get_major_locator(), StrCategoryLocator):
            labels = [label.strip("'") for label in labels]
            axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", fontsize="small", parse_math=False)
            axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_yscale("log" if _far_apart(map(score, results.finished)) else "linear")
        axes.set_xlabel(_in_two_lines(axes.get_xlabel()))
    return _sized(panels[0], 1.5 + 2.2 * len(panels), 4)


def draw_parallel(study: Study, results: StudyResults) -> Figure:
    """Draw a line for each finished trial through its score and its values; better ones brighter, the best thick."""
    metric = results.metric
    if _far_apart(map(score, results.finished)):
        metric = f"log10 {results.metric}"
        axes = optuna_plots.plot_parallel_coordinate(
            study, params=results.sampled, target=lambda trial: math.log10(score(trial)), target_name=metric
        )
    else:
        axes = optuna_plots.plot_parallel_coordinate(
            study, params=results.sampled, target_name=metric, **_score_target(study)
        )
    (lines,) = axes.collections
    scores = np.asarray(lines.get_array())
    lines.set_linewidth(np.where(scores == (scores.max() if results.maximize else scores.min()), 4, 1.5).tolist())
    lines.set_cmap(COLORMAP if results.maximize else f"{COLORMAP}_r")
    names = [metric, *results.sampled]
    axes.set_xticks(range(len(names)), [_in_two_lines(name) for name in names], rotation=0)
    figure = _sized(axes, max(7, 2 * len(results.sampled)), 4.6)
    for scale in figure.axes[2:]:  # one for each parameter, after the lines and the colour bar
        has_choices = isinstance(scale.yaxis.get_major_locator(), FixedLocator)
        scale.yaxis.set_minor_formatter(NullFormatter())
        for label in scale.get_yticklabels():
            label.set(bbox={"color": "white", "alpha": 0.7, "pad": 1}, fontsize="small", parse_math=not has_choices)
    return figure


def draw_pareto(study: Study, results: StudyResults) -> Figure:
    """Draw each finished trial by its score and its size, those that no other beats in both in another colour."""
    axes = optuna_plots.plot_pareto_front(study, target_names=[results.metric, *results.sizes])
    return _sized(axes, 7.5, 4.5)


def interactive_page(study: Study, results: StudyResults, names: Iterable[str], shares: dict[str, float]) -> str:
    """Return a page of Optuna's interactive plots that loads nothing from outside; their code, 5 MB, is in it once."""
    title = escape(f"Study {study.study_name}")
    plots = "\n".join(_interactive_plot(study, results, name, shares) for name in names)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<h1>{title}</h1>\n{plots}\n</body>\n</html>\n"
    )


def _interactive_plot(study: Study, results: StudyResults, name: str, shares: dict[str, float]) -> str:
    options = {"target_name": results.metric, **_score_target(study)}
    if name in ("slice", "parallel"):
        options["params"] = results.sampled
    if name == "importances":
        options = {"params": results.sampled, "evaluator": KnownImportances(shares)}
        study = study_of_scores(results)
    if name == "pareto":
        options = {"target_names": [results.metric, *results.sizes]}
    figure = INTERACTIVE[name](study, **options)
    return str(io.to_html(figure, include_plotlyjs=False, full_html=False, div_id=name, config=PLOTLY_CONFIG))


@contextmanager
def _pyplot() -> Iterator[None]:
    """Keep the style that Optuna sets, its open figures and its warnings within this block."""
    pyplot.switch_backend("agg")  # no window, whatever the machine has
    with warnings.catch_warnings(), pyplot.rc_context():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "Attempting to set identical", UserWarning)  # limits, of a single value
        try:
            yield
        finally:
            pyplot.close("all")


def _score_target(study: Study) -> dict[str, Any]:
    """What Optuna must be told where a trial has several values: that the first is meant."""
    return {"target": score} if len(study.directions) > 1 else {}


def _sized(axes: Axes, width: float, height: float) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 (for mypy: these axes have one)
    figure.set_size_inches(width, height)
    return figure


def _in_two_lines(name: str) -> str:
    return name.replace(".", ".\n", 1)


def _far_apart(values: Iterable[float]) -> bool:
    values = list(values)
    return min(values) > 0 and max(values) > LOG_RATIO * min(values)
