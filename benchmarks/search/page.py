"""Writes the results as a Markdown page with plots."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.search import measures
from benchmarks.search.compared import CMA_ES, DEFAULT, DEFAULT_EPOCHS, GROUPS, MEDIAN, PLAIN, PLAIN_EPOCHS
from benchmarks.search.replay import BUDGET
from benchmarks.search.spaces import SPACES
from modelyard.core.files import atomic_file, write_text
from modelyard.core.report_text import fill as fill_page
from modelyard.core.report_text import markdown_table

PLOT, PLOT_OF_DEFAULTS = "search.png", "defaults.png"
DEFAULTS = (("spaces", PLAIN, DEFAULT), ("epochs", PLAIN_EPOCHS, DEFAULT_EPOCHS))
FIRST_SHOWN = 4  # full trainings, before which scores are so far off that nothing else could be seen
SHOWN = 4  # methods in the plot beside COMPARED
COMPARED = (PLAIN, MEDIAN, "random", CMA_ES)
EPOCHS_SHOWN = (PLAIN_EPOCHS, "TPE, epochs searched, median pruner", "TPE, epochs read off the curve")
COSTS = np.linspace(0, BUDGET, measures.POINTS)
RATIOS = {"seconds": "seconds", "CPU seconds": "cpu_seconds", "full trainings": "cost"}  # by their column
BEGIN, END = "<!-- search methods -->", "<!-- end -->"
BEGIN_REAL = "<!-- real searches -->"

Found = Mapping[str, Any]


def write(results: Found, real: Found | None, folder: Path) -> None:
    """Write the page and its plots."""
    write_text(folder / "README.md", page(results, real))
    draw(results, folder / PLOT)
    draw_defaults(results, folder / PLOT_OF_DEFAULTS)


def fill(path: Path, results: Found, real: Found | None) -> None:
    """Write short tables of the methods that a reader should see between the marks of a page."""
    rows = _short_rows("fixed", results["spaces"], shown(results["spaces"]), results["means"].get("spaces", {}))
    if epochs := results["epochs"]:
        ranking = ranked(epochs)
        kept = [name for name in ranking if name in (*ranking[:SHOWN], *EPOCHS_SHOWN)]
        rows += _short_rows("searched", epochs, kept, results["means"].get("epochs", {}))
    fill_page(path, f"\n{markdown_table(['epochs', 'method', 'compute', 'searches that miss'], rows)}\n", BEGIN, END)
    if real:
        fill_page(path, f"\n{_real_defaults(real)}\n", BEGIN_REAL, END)


def _short_rows(epochs: str, spaces: Mapping[str, Found], methods: Sequence[str], means: Found) -> list[list[str]]:
    """The mean cost of each method, and the share of searches that never get to the score they get to least often."""
    rows = []
    for method in methods:
        mean = _mean_ratio(method, spaces)
        never = max(
            found["methods"][method][trials]["never"][0] for found in spaces.values() for trials in found["targets"]
        )
        cost = (
            _interval(means[method], ".2f") if method in means else _value(mean if np.isfinite(mean) else None, ".2f")
        )
        rows.append([epochs, method, cost, f"{never:.0%}"])
    return rows


def shown(spaces: Mapping[str, Found]) -> list[str]:
    """The methods in the plot: those of the smallest cost, and COMPARED."""
    ranking = ranked(spaces)
    return [name for name in ranking if name in (*ranking[:SHOWN], *COMPARED)]


def page(results: Found, real: Found | None) -> str:
    """The whole page."""
    spaces = results["spaces"]
    parts = [
        "# Search methods compared",
        f"`python -m benchmarks.search replay --seeds {results['seeds']}`: each method searches the tables of fully "
        f"trained configurations {results['seeds']} times. The real samplers and pruners of Optuna "
        f"{results['optuna']} propose and prune; a table says what a training would have reported. Every search trains "
        f"the baseline first and ends when it has cost {BUDGET} full trainings.",
        _definitions(),
        "## Spaces",
        markdown_table(
            ["space", "configurations", "fits", "epochs", *_target_columns(spaces), "best of the table"],
            [[name, *_space_row(name, found)] for name, found in spaces.items()],
        ),
        "*Of the table* is the share of configurations that reach the target.",
        "## Summary",
        "Cost to plain TPE's score after 20 and 40 trials, divided by plain TPE's own; in brackets the share of "
        "searches that never get there. `-`: at least half do not. Sorted by the geometric mean.",
        _summary(spaces, ranked(spaces), results["means"].get("spaces")),
        f"![best score against cost]({PLOT})",
        "The defaults of `modelyard tune` beside plain TPE, with a fixed number of epochs (above) and with one that is "
        "searched (below). The band is from the first quartile of the searches to the third.",
        f"![best score of the defaults and of plain TPE against cost]({PLOT_OF_DEFAULTS})",
        *_space_tables(spaces),
        *_epochs(results["epochs"], results["means"].get("epochs")),
        "## Warm start",
        "The best three of an earlier search are trained after the baseline. The earlier search had 20 trials in a "
        "narrower space, the first two values of each setting, and is not counted.",
        _summary(results["warm_start"], ranked(results["warm_start"])),
        "## When to stop",
        _stops(results),
        *_real(real),
    ]
    return "\n\n".join(parts) + "\n"


def _definitions() -> str:
    """The measures as their module states them."""
    return (measures.__doc__ or "").partition("\n\n")[2].strip()


def _target_columns(spaces: Mapping[str, Found]) -> list[str]:
    trials = next(iter(spaces.values()))["targets"]
    return [column for number in trials for column in (f"target after {number} trials", "of the table")]


def _space_row(name: str, found: Found) -> list[str]:
    space, targets = SPACES[name], found["targets"]
    columns = [str(len(space.configurations)), str(space.fits), str(space.epochs)]
    for target in targets.values():
        columns += [f"{target['score']:.4g}", f"{target['share_of_table']:.1%}"]
    return [*columns, f"{found['best_of_table']:.4g}"]


def ranked(spaces: Mapping[str, Found]) -> list[str]:
    """The methods that were replayed on every space, those of the smallest cost first."""
    common = set.intersection(*(set(found["methods"]) for found in spaces.values()))
    return sorted(common, key=lambda name: (_mean_ratio(name, spaces), name))


def better_than(plain: str, spaces: Mapping[str, Found]) -> list[str]:
    """The methods of a smaller cost than that of a method, the smallest first."""
    return [name for name in ranked(spaces) if _mean_ratio(name, spaces) < _mean_ratio(plain, spaces)]


def _mean_ratio(method: str, spaces: Mapping[str, Found]) -> float:
    ratios = [
        found["methods"][method][trials]["ratio"][0] or math.inf
        for found in spaces.values()
        for trials in found["targets"]
    ]
    return float(np.exp(np.mean(np.log(ratios))))


def _summary(spaces: Mapping[str, Found], methods: Sequence[str], means: Found | None = None) -> str:
    """A row for each method; `means` has the intervals of some geometric means."""
    head = ["method", *(f"{name}, {trials}" for name, found in spaces.items() for trials in found["targets"]), "mean"]
    rows = []
    for method in methods:
        cells = [
            f"{_value(found['methods'][method][trials]['ratio'][0], '.2f')} "
            f"({found['methods'][method][trials]['never'][0]:.0%})"
            for found in spaces.values()
            for trials in found["targets"]
        ]
        mean = _mean_ratio(method, spaces)
        text = "-" if math.isinf(mean) else f"{mean:.2f}"
        rows.append([method, *cells, _interval(means[method], ".2f") if means and method in means else text])
    return markdown_table(head, rows)


def _epochs(spaces: Mapping[str, Found], means: Found | None) -> list[str]:
    if not spaces:
        return []
    text = (
        "The same spaces with the number of epochs as one more setting: a third, two thirds or all of them. With a "
        "constant learning rate a training of few epochs is the beginning of a longer one, so that one training gives "
        "the score of each number. Ratios to plain TPE that searches the number."
    )
    return ["## The number of epochs", text, _summary(spaces, ranked(spaces), means)]


def _stops(results: Found) -> str:
    """What a stop rule saves and misses."""
    head = ["space", "method", *(f"{patience} trials: saved, missed" for patience in measures.PATIENCES)]
    rows = [
        [name, method, *(f"{each['saved']:.0%}, {each['missed']:.4f}" for each in found["methods"][method]["stop"])]
        for kind in ("spaces", "epochs")
        for name, found in results[kind].items()
        for method in measures.STOPPED
        if method in found["methods"]
    ]
    return markdown_table(head, rows)


def _space_tables(spaces: Mapping[str, Found]) -> list[str]:
    parts = []
    for name, found in spaces.items():
        parts.append(f"## {name}")
        for trials, target in found["targets"].items():
            parts.append(
                f"### {name}: plain TPE's score after {trials} trials, {target['score']:.4g}, which cost "
                f"{target['cost']:.3g} full trainings"
            )
            parts.append(_table(found["methods"], trials))
    return parts


def _table(methods: Mapping[str, Found], trials: str) -> str:
    head = ["method", "cost in full trainings", "ratio", "never", "score", "gain", "test", "test gain"]
    rows = []
    for group, names in GROUPS.items():
        known = [name for name in names if name in methods]
        rows += [[f"**{group}**", *[""] * 7]] if known else []
        for name in known:
            one = methods[name][trials]
            rows.append(
                [
                    name,
                    _interval(one["cost"], ".3g"),
                    _interval(one["ratio"], ".2f"),
                    _interval(one["never"], ".0%"),
                    _value(one["score"][0], ".4f"),
                    _interval(one["gain"], "+.4f"),
                    _value(one["test"][0], ".4f"),
                    _interval(one["test_gain"], "+.4f"),
                ]
            )
    return markdown_table(head, rows)


def _interval(found: list[float | None], form: str) -> str:
    value, low, high = (_value(each, form) for each in found)
    return f"{value} ({low} to {high})"


def _value(value: float | None, form: str) -> str:
    return "-" if value is None else format(value + 0.0, form)  # not -0.0


def _real(real: Found | None) -> list[str]:
    """Medians over the seeds of real searches."""
    if real is None:
        return []
    head = ["space", "method", *RATIOS, *(f"{each}, ratio" for each in RATIOS)]
    text = (
        f"`python -m benchmarks.search real --seeds {real['seeds']}`: searches with real trainings, one at a time, "
        "until they have the score that plain TPE has after 20 trials in the replay: plain TPE and the methods of the "
        "smallest mean cost, but those that need a saved state of a training. Medians over the seeds; the ratio is to "
        "plain TPE's median. Seconds are wall time without the start of the process, beside other work. *As replayed*: "
        "the search finished the same configurations at the same cost as on the table; it need not, where the "
        "processor rounds differently. Where it did, the ratios of these few seeds are those of the same seeds in the "
        "replay, whose hundred seeds say more: what the real searches add is the time."
    )
    tables = []
    for kind, title in (
        ("spaces", "A fixed number of epochs:"),
        ("epochs", "The number of epochs is searched as well:"),
    ):
        rows = [row for name, found in real[kind].items() for row in _real_rows(name, found["methods"])]
        tables += [title, markdown_table([*head, "reached", "as replayed"], rows)]
    return ["## Real searches", text, *tables]


def _real_rows(name: str, methods: Mapping[str, Sequence[Found]]) -> list[list[str]]:
    medians = {
        method: [float(np.median([each[key] for each in searches])) for key in RATIOS.values()]
        for method, searches in methods.items()
    }
    plain = next(iter(medians.values()))
    rows = []
    for method, searches in methods.items():
        ratios = [f"{own / other:.2f}" for own, other in zip(medians[method], plain, strict=True)]
        shares = [f"{np.mean([each[key] for each in searches]):.0%}" for key in ("is_reached", "is_as_replayed")]
        rows.append([name, method, *(f"{each:.3g}" for each in medians[method]), *ratios, *shares])
    return rows


def _real_defaults(real: Found) -> str:
    """The ratios of the defaults in real searches: of the compute, and in brackets of the seconds."""
    names = list(real["spaces"])
    rows = []
    for kind, plain, default in DEFAULTS:
        ratios = np.array([_median_ratios(real[kind][name]["methods"], plain, default) for name in names])
        cells = [*ratios, np.exp(np.log(ratios).mean(axis=0))]
        rows.append([default, *(f"{cost:.2f} ({seconds:.2f})" for cost, seconds in cells)])
    return markdown_table(["method", *names, "mean"], rows)


def _median_ratios(methods: Mapping[str, Sequence[Found]], plain: str, method: str) -> list[float]:
    """The medians of compute and of seconds, divided by plain TPE's."""
    own, other = (
        [float(np.median([each[key] for each in methods[name]])) for key in ("cost", "seconds")]
        for name in (method, plain)
    )
    return [one / two for one, two in zip(own, other, strict=True)]


def draw(results: Found, path: Path) -> None:
    """Draw the median best score against the cost, a panel for each space."""
    spaces = results["spaces"]
    figure = Figure(figsize=(5.2 * len(spaces), 4.6), layout="constrained")
    for axes, (name, found) in zip(figure.subplots(1, len(spaces), squeeze=False)[0], spaces.items(), strict=True):
        late = []
        for number, method in enumerate(shown(spaces)):
            curve = _numbers(found["methods"][method]["curve"])
            color, layer = ("black", 3) if method == PLAIN else (f"C{number}", 2)
            axes.step(COSTS, curve, where="post", label=method, color=color, zorder=layer)
            late += curve[COSTS >= FIRST_SHOWN].tolist()
        _finish(axes, name, found, late)
    axes.legend(fontsize="small", loc="best")
    _save(figure, path, dpi=110)


def draw_defaults(results: Found, path: Path) -> None:
    """Draw the median best score of the defaults and of plain TPE, with quartiles, against the cost."""
    kinds = [(results[kind], methods) for kind, *methods in DEFAULTS if results[kind]]
    columns = len(results["spaces"])
    figure = Figure(figsize=(4.6 * columns, 3.6 * len(kinds)), layout="constrained")
    for panels, (spaces, methods) in zip(figure.subplots(len(kinds), columns, squeeze=False), kinds, strict=True):
        for axes, (name, found) in zip(panels, spaces.items(), strict=True):
            late = []
            for method, color in zip(methods, ("black", "C0"), strict=True):
                measured = found["methods"].get(method)
                if measured is None:
                    continue
                curve, *quartiles = map(_numbers, [measured["curve"], *measured["quartiles"]])
                axes.fill_between(COSTS, *quartiles, step="post", color=color, alpha=0.2, linewidth=0)
                axes.step(COSTS, curve, where="post", label=method.replace(", median", ",\nmedian"), color=color)
                late += curve[COSTS >= FIRST_SHOWN].tolist()
            _finish(axes, name, found, late)
        axes.legend(fontsize="small", loc="best")
    _save(figure, path, dpi=80)


def _numbers(curve: Sequence[float | None]) -> npt.NDArray[np.float64]:
    return np.array([math.nan if each is None else each for each in curve])


def _finish(axes: Axes, name: str, found: Found, late: Sequence[float]) -> None:
    """Title, limits by the scores that are not early, and a line for each target."""
    margin = 0.05 * (np.nanmax(late) - np.nanmin(late))
    axes.set_ylim(np.nanmin(late) - margin, np.nanmax(late) + margin)
    for target in found["targets"].values():
        axes.axhline(target["score"], color="grey", linewidth=0.6, linestyle=":")
    axes.set(title=name, xlabel="cost in full trainings", ylabel=f"best validation {SPACES[name].metric}, median")
    axes.set_xlim(0, BUDGET)


def _save(figure: Figure, path: Path, dpi: int) -> None:
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
