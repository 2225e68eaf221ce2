"""Measures how often `modelyard check` raises an alarm: where nothing has changed, and after shifts that are known.

    .venv/bin/python -m benchmarks.data_drift     # writes docs/drift.md

Takes about nine minutes of processor time.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from modelyard import metrics
from modelyard.core.report_text import fill, markdown_table
from modelyard.data.columns import Column
from modelyard.data.contract import Measured, Reference, measure
from modelyard.data.inputs import InputDescription
from modelyard.data.scaling import Scaler
from modelyard.metrics import BoundMetric
from modelyard.metrics.bootstrap import confidence_interval
from modelyard.serving import drift
from modelyard.serving.reference import measure_outputs

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "drift.md"
TRIALS = {50: 400, 200: 400, 5000: 50}  # by the number of new samples: the more, the slower
SIZES = ((200, 2), (200, 3), (200, 5), (200, 50), (1000, 200), (10_000, 5000))
"""Test samples and new ones, on which a metric is compared."""
FEW = 5  # new samples, of which a bootstrap takes no time
TRIALS_OF_IMAGES = 40  # each fits a model
NORMAL = 6  # features of the table
TOWNS = ("Bonn", "Köln", "Ulm", "Trier", "Jena")

Values = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator], tuple[list[Reference], list[Measured]]]


class Case(NamedTuple):
    """New samples with a known change, and the features that it is in."""

    data: str
    change: str
    training: int
    new: int
    draw: Draw
    changed: frozenset[str] = frozenset()
    trials: int = TRIALS_OF_IMAGES


class Change(NamedTuple):
    """How a table of made-up samples differs from the training samples."""

    name: str
    feature: str = ""
    mean: float = 0.0
    scale: float = 1.0
    towns: tuple[float, ...] = (0.4, 0.3, 0.15, 0.1, 0.05)
    gaps: float = 0.05


CHANGES = (
    Change("none"),
    Change("one mean, by 0.1 standard deviations", "x1", mean=0.1),
    Change("one mean, by 0.5 standard deviations", "x1", mean=0.5),
    Change("one mean, by one standard deviation", "x1", mean=1.0),
    Change("one standard deviation, doubled", "x1", scale=2.0),
    Change("a category from 5 % to 30 %", "town", towns=(0.3, 0.2, 0.1, 0.1, 0.3)),
    Change("missing values from 5 % to 25 %", "size (no value)", gaps=0.25),
)


def cases(images: bool = True) -> Iterator[Case]:
    """Every change of a table with few and with many samples, and of images of digits."""
    for change in CHANGES:
        for training, new in ((200, 50), (1000, 200), (20_000, 5000)):
            changed = frozenset(filter(None, [change.feature]))
            draw = _tables(change, training, new)
            yield Case("table", change.name, training, new, draw, changed, TRIALS[new])
    for change in _IMAGE_CHANGES if images else ():
        name = frozenset() if change == "none" else frozenset({"any"})
        yield Case("images", change, 900, 450, _images(change), name)


def alarms(chosen: Iterable[Case]) -> pd.DataFrame:
    """How often there is an alarm, as the check raises it, and with the p values alone.

    Returns:
        Columns: those of a case, alarms and significant (shares), and others: the share of trials in which a feature
        without a change has drifted.
    """
    rows = []
    for number, case in enumerate(chosen):
        random, found = np.random.default_rng(number), []
        for _ in range(case.trials):
            references, measured = case.draw(random)
            tests = [
                test for pair in zip(references, measured, strict=True) for test in drift.compare(pair[0], pair[1])
            ]
            adjusted = drift.adjust(tests)
            drifted = {each.test.feature for each in adjusted if each.has_drifted}
            others = drifted if "any" not in case.changed else set()
            is_significant = any(each.p_adjusted < drift.ALPHA for each in adjusted)
            found.append((bool(drifted), is_significant, bool(others - case.changed)))
        shares = dict(zip(("alarms", "significant", "others"), np.mean(found, axis=0).tolist(), strict=True))
        rows.append(case._asdict() | shares)
    return pd.DataFrame(rows).drop(columns=["draw", "changed"])


def falls(trials: int = 300, sizes: Iterable[tuple[int, int]] = SIZES) -> pd.DataFrame:
    """How often a metric is said to have fallen; columns: metric, change, test, new and alarms (a share)."""
    rows = []
    for test, new in sizes:
        for metric, change, before, after in (
            ("accuracy", "none", _guesses(0.9), _guesses(0.9)),
            ("accuracy", "0.9 to 0.8", _guesses(0.9), _guesses(0.8)),
            ("correlation", "none", _numbers(0.5), _numbers(0.5)),
            ("correlation", "0.89 to 0.71", _numbers(0.5), _numbers(1.0)),
            ("correlation", "all true targets equal", _numbers(0.5), _numbers(0.5, spread=0.0)),
        ):
            count = trials if metric == "accuracy" or new <= FEW else trials // 5  # a bootstrap takes longer
            random = np.random.default_rng(new)
            found = [_has_fallen(before(random, test), after(random, new)) for _ in range(count)]
            rows.append(
                {
                    "metric": metric,
                    "change": change,
                    "test": test,
                    "new": new,
                    "alarms": np.mean(found),
                    "trials": count,
                }
            )
    return pd.DataFrame(rows)


def _tables(change: Change, training: int, new: int) -> Draw:
    def draw(random: np.random.Generator) -> tuple[list[Reference], list[Measured]]:
        known = _table(Change("none"), training, random)
        return [Reference.of(known)], [_table(change, new, random)]

    return draw


def _table(change: Change, count: int, random: np.random.Generator) -> Measured:
    """Normal, skewed and whole numbers, a category, and a number with gaps."""
    columns = {f"x{number}": random.normal(size=count) for number in range(1, NORMAL + 1)}
    columns["x1"] = columns["x1"] * change.scale + change.mean
    columns |= {"price": random.lognormal(size=count), "rooms": random.poisson(3, count).astype(np.float64)}
    columns["size"] = np.where(random.random(count) < change.gaps, np.nan, random.normal(size=count))
    columns["town"] = random.choice(len(TOWNS), count, p=change.towns).astype(np.float64)
    kinds = tuple(
        Column(name="town", kind="category", categories=TOWNS) if name == "town" else Column(name=name, kind="number")
        for name in columns
    )
    return Measured(kinds, np.column_stack(list(columns.values())), tuple(name == "size" for name in columns))


def _blurred(images: Values, _: np.random.Generator) -> Values:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(images, (0, 0.7, 0.7, 0))


_IMAGE_CHANGES: dict[str, Callable[[Values, np.random.Generator], Values]] = {
    "none": lambda images, _: images,
    "darker by a fifth": lambda images, _: images * 0.8,
    "blurred": _blurred,
    "moved by one pixel": lambda images, _: np.roll(images, 1, axis=2),
    "noise": lambda images, random: np.clip(images + random.normal(scale=2, size=images.shape), 0, 16),
}


def _images(change: str) -> Draw:
    """Digits of 8 x 8 pixels, divided at random: for training, for testing, and the new ones, which are changed."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    x, y = load_digits(return_X_y=True)
    images = x.reshape(-1, 8, 8, 1)
    description = InputDescription(
        dataset="digits",
        task="classification",
        features=(),
        classes=tuple(map(str, range(10))),
        shape=(8, 8, 1),
        dtype="float64",
        training_samples=900,
        validation_samples=0,
        scaling="none",
        scaler=Scaler(),
    )

    def draw(random: np.random.Generator) -> tuple[list[Reference], list[Measured]]:
        training, test, new = np.split(random.permutation(len(x)), [900, 1347])
        model = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=200)).fit(x[training], y[training])

        def outputs(samples: Values) -> Measured:
            return measure_outputs(samples, model.predict_proba(samples.reshape(len(samples), -1)), description)

        changed = _IMAGE_CHANGES[change](images[new], random)
        known = [measure(images[training], description), outputs(images[test])]
        return list(map(Reference.of, known)), [measure(changed, description), outputs(changed)]

    return draw


def _guesses(right: float) -> Callable[[np.random.Generator, int], BoundMetric]:
    return lambda random, count: BoundMetric(
        metrics.accuracy, (np.ones(count, int), (random.random(count) < right).astype(int))
    )


def _numbers(noise: float, spread: float = 1.0) -> Callable[[np.random.Generator, int], BoundMetric]:
    def draw(random: np.random.Generator, count: int) -> BoundMetric:
        truth = spread * random.normal(size=count)
        return BoundMetric(metrics.correlation, (truth, truth + noise * random.normal(size=count)))

    return draw


def _has_fallen(before: BoundMetric, after: BoundMetric) -> bool:
    return drift.metric_change("", (before.value, confidence_interval(before).interval), after).has_fallen


def _percent(share: Any) -> str:
    return f"{100 * share:.1f}"


def _tables_of_page() -> str:
    header = ("data", "change", "training", "new", "alarms, %", "significant, %", "other features, %")
    found = [
        (each.data, each.change, f"{each.training:,}", f"{each.new:,}", *map(_percent, shares))
        for each in alarms(cases()).itertuples()
        for shares in [(each.alarms, each.significant, each.others)]
    ]
    of_metrics = [
        (each.metric, each.change, f"{each.test:,}", f"{each.new:,}", _percent(each.alarms))
        for each in falls().itertuples()
    ]
    second = markdown_table(("metric", "change", "test samples", "new", "said to have fallen, %"), of_metrics)
    return f"{markdown_table(header, found)}\n\n{second}"


def main() -> None:
    """Write the results into the page, between its markers."""
    fill(PAGE, f"\n{_tables_of_page()}\n")


if __name__ == "__main__":
    main()
