"""Checks of new samples: what is read, what is compared, what is kept with a model, and the verdict."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import ConciseDateFormatter, num2date
from PIL import Image
from support.built_experiments import build_contract, fit_model, line_samples
from support.inputs import training_context
from support.training_inputs import image_input, tabular_input, text_input

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data import contract
from modelyard.data.inputs import InputDescription, TrainingInput, save_test
from modelyard.data.samples import Samples
from modelyard.experiments import evaluate, plots
from modelyard.models import EstimatorTraining, Model
from modelyard.models.families import logistic
from modelyard.serving import check, drift, outside
from modelyard.serving.batch import PredictionBatch
from modelyard.serving.check import NewSamples, Problems
from modelyard.serving.drift_plot import plot_drift
from modelyard.serving.mlflow_log import verdict
from modelyard.serving.reference import MetricOnTest, ModelReference

NAMES = ("a", "b", "c")


class _Unused(NamedTuple):
    """In place of a model that has nothing to predict."""

    description: InputDescription


TRAINING = line_samples(400)


@pytest.fixture
def model() -> Model:
    return fit_model("linear", TRAINING, features=NAMES)


@pytest.fixture
def reference(model: Model, tmp_path: Path) -> ModelReference:
    """What promotion keeps with the model."""
    folder = build_contract("line", TRAINING, tmp_path, features=NAMES)
    save_test(line_samples(200, seed=1), tmp_path / "test")
    return ModelReference.of(evaluate.evaluate(model, tmp_path / "test"), folder)


def new(samples: Samples, model: Model, has_truth: bool = False) -> NewSamples:
    batch = PredictionBatch({}, samples.x, truth=samples.y if has_truth else None)
    return check.measure_new([batch], model)


@pytest.mark.parametrize(
    "model, kinds", [(tabular_input, "tables (CSV, Parquet or Feather)"), (image_input, "images (AVIF, BMP")]
)
def test_without_a_file_the_kinds_that_are_read_are_named(
    model: Callable[[], TrainingInput], kinds: str, tmp_path: Path
) -> None:
    (tmp_path / ".hidden.csv").touch()
    with pytest.raises(ModelyardError, match=re.escape(f"{tmp_path}: no file to check. Give {kinds}")):
        check.read([tmp_path], _Unused(model().description))


def test_samples_of_the_same_kind_raise_no_alarm(model: Model, reference: ModelReference) -> None:
    report = check.check("line", model, reference, new(line_samples(300, seed=2), model, has_truth=True))
    assert [each.test.feature for each in report.tests] == [*NAMES, "predicted value"]
    assert (report.drifted, report.metric.has_fallen, report.is_alarm) == ([], False, False)
    assert report.alpha == 0.04


def test_a_shifted_column_is_named_and_so_is_the_output_that_it_shifts(model: Model, reference: ModelReference) -> None:
    samples = line_samples(300, seed=2)
    samples.x[:, 1] += 2
    report = check.check("line", model, reference, new(samples, model))
    assert report.drifted == ["b", "predicted value"]
    assert (report.is_alarm, report.alpha, report.metric) == (True, 0.05, None)
    assert report.outside["b"] > 0
    content = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert [each["feature"] for each in content["features"] if each["has_drifted"]] == report.drifted
    assert (content["drift"], content["compared"], content["metric"]) == (True, 300, None)


def test_a_metric_that_falls_is_an_alarm_without_any_drift(model: Model, reference: ModelReference) -> None:
    samples = line_samples(300, seed=2)
    shuffled = Samples(samples.x, np.random.default_rng(0).permutation(samples.y))
    report = check.check("line", model, reference, new(shuffled, model, has_truth=True))
    assert (report.drifted, report.is_alarm) == ([], True)
    assert report.metric.after < 0.3 < report.metric.before


def test_what_is_kept_with_a_model_is_read_back(model: Model, reference: ModelReference, tmp_path: Path) -> None:
    reference.save(tmp_path / "kept")
    read = ModelReference.load(tmp_path / "kept")
    assert read.metric == reference.metric
    assert isinstance(read.metric, MetricOnTest)
    np.testing.assert_array_equal(read.outputs.values, reference.outputs.values)
    assert read.inputs.features == reference.inputs.features


def test_no_sample_is_an_error(model: Model, reference: ModelReference) -> None:
    with pytest.raises(ModelyardError, match="no sample to check"):
        check.check("line", model, reference, check.measure_new([], model))


def test_the_plot_shows_numbers_and_categories(model: Model, reference: ModelReference) -> None:
    report = check.check("line", model, reference, new(line_samples(30, seed=2), model))
    figure = plot_drift(report, reference)
    titles = [axes.get_title() for each in figure.subfigs for axes in each.axes]
    assert titles[0].startswith("line: 30 new samples")
    assert {*NAMES, "predicted value"} <= set(titles)


def test_the_plot_draws_names_that_would_be_formulas(tmp_path: Path) -> None:
    price = contract.Column(name="price", kind="category", categories=("$", "$$"))
    columns = (price, contract.Column(name="cost_$_per_$", kind="number"))

    def of(rows: int) -> contract.Measured:
        return contract.Measured(columns, np.column_stack([np.arange(rows) % 2, np.arange(rows)]), (False, False))

    outputs = contract.Measured((contract.Column(name="value", kind="number"),), np.arange(40.0)[:, None], (False,))
    known = ModelReference(
        contract.Reference.of(of(40)),
        contract.Reference.of(outputs),
        MetricOnTest(name="correlation", value=0.5, low=0.4, high=0.6, rows=40),
    )
    tests = drift.adjust(drift.compare(known.inputs, of(30)))
    report = check.DriftReport("a_$_b_$", 30, tests, (of(30), outputs), Counter(), 0.1, 0.05, None)
    plots.save(plot_drift(report, known), tmp_path / "drift.png")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("days_of_sales, year", [(300, 2011), (1_000, 2012)])
def test_the_plot_shows_dates_as_dates_and_the_categories_that_differ_most(days_of_sales: int, year: int) -> None:
    towns = tuple(f"town number {number} of the north" for number in range(12))
    columns = (
        contract.Column(name="sold", kind="date"),
        contract.Column(name="town", kind="category", categories=towns),
    )
    random = np.random.default_rng(0)

    def of(codes: np.ndarray, first: int) -> contract.Measured:
        days = first + random.integers(0, days_of_sales, len(codes))
        return contract.Measured(columns, np.column_stack([days, codes]).astype(float), (False, False))

    def output(rows: int) -> contract.Measured:
        return contract.Measured(
            (contract.Column(name="value", kind="number"),), random.normal(size=(rows, 1)), (False,)
        )

    old = np.repeat(np.arange(12), [60] * 9 + [20] * 3)
    measured = of(np.repeat(np.arange(12), [60] * 9 + [20, 0, 40]), 15_300), output(600)
    known = ModelReference(
        contract.Reference.of(of(old, 15_000)),
        contract.Reference.of(output(200)),
        MetricOnTest(name="correlation", value=0.5, low=0.4, high=0.6, rows=200),
    )
    tests = drift.adjust(
        [test for each in zip((known.inputs, known.outputs), measured, strict=True) for test in drift.compare(*each)]
    )
    report = check.DriftReport("houses", 600, tests, measured, Counter(), 0.1, 0.05, None)
    figure = plot_drift(report, known)
    axes = {each.get_title(): each for part in figure.subfigs for each in part.axes}
    dates = axes["sold"]
    assert isinstance(dates.xaxis.get_major_formatter(), ConciseDateFormatter)
    assert num2date(np.mean(dates.get_xlim())).year == year
    assert 2 <= len(dates.get_xticks()) <= 8  # with one beyond each end
    shown = [label.get_text() for label in axes["town"].get_xticklabels()]
    assert len(shown) == len(set(shown)) == 8
    assert {"town number 10…", "town number 11…"} <= set(shown)
    labels = [text.get_text() for each in axes.values() if each.get_legend() for text in each.get_legend().texts]
    assert labels == ["training", "new", "test samples", "new"]


# --- reading ---


def write_table(samples: Samples, path: Path) -> Path:
    pd.DataFrame(samples.x, columns=NAMES).assign(y=samples.y).to_csv(path, index=False)
    return path


def test_a_log_of_requests_is_read_and_what_is_none_is_an_error(model: Model, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    asked = {"rows": [dict(zip(NAMES, row, strict=True)) for row in ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))]}
    lines = [
        json.dumps({"model": "a", "input": asked, "predictions": []}),
        "no JSON",
        json.dumps({"input": {"rows": 3}}),
    ]
    log.write_text("\n".join(lines) + "\n")
    found = check.read([log], model)
    np.testing.assert_array_equal(found.inputs.values, [[1, 2, 3], [4, 5, 6]])
    assert found.problems.errors[0] == f"{log}: line 2: no request that `modelyard serve` has logged"
    assert len(found.problems.errors) == 2
    with pytest.raises(ModelyardError, match="has no true targets: leave out --target"):
        check.read([log], model, "y")
    with pytest.raises(ModelyardError, match=r"other\.csv is no log"):
        check.read([log, tmp_path / "other.csv"], model)


def test_a_log_that_is_not_there_is_an_error_beside_those_that_are(model: Model, tmp_path: Path) -> None:
    log, missing = tmp_path / "requests.jsonl", tmp_path / "nosuch.jsonl"
    log.write_text(json.dumps({"input": {"rows": [dict.fromkeys(NAMES, 1.0)]}}) + "\n")
    found = check.read([missing, log], model)
    assert (found.rows, list(found.problems.errors)) == (1, [f"{missing}: No such file or directory"])


def test_a_log_is_read_line_by_line_and_repeats_no_warning(model: Model, tmp_path: Path) -> None:
    log, empty = tmp_path / "requests.jsonl", tmp_path / "empty.jsonl"
    asked = {"rows": [{"a": 1, "b": 2, "c": 3, "d": "\u2028\x85"}]}
    line = json.dumps({"input": asked}, ensure_ascii=False)
    log.write_text(f"{line}\n{line}\n{'[' * 100_000}\n", encoding="utf-8")
    empty.touch()
    found = check.read([log, empty], model)
    assert found.rows == 2
    assert found.problems.warnings == ["unused columns: d"]
    assert found.problems.errors == [
        f"{log}: line 3: no request that `modelyard serve` has logged",
        f"{empty}: there is no request in it",
    ]


def test_the_true_answers_are_read_from_their_column(model: Model, tmp_path: Path) -> None:
    samples = line_samples(50, seed=3)
    found = check.read([write_table(samples, tmp_path / "new.csv")], model, "y")
    np.testing.assert_allclose(found.inputs.values, samples.x)
    np.testing.assert_allclose(found.answered.truth, samples.y)
    np.testing.assert_allclose(found.answered.outputs, model.predict(samples.x))
    assert (found.rows, found.problems) == (50, Problems())


def test_a_row_without_a_true_answer_is_compared_without_one(
    model: Model, reference: ModelReference, tmp_path: Path
) -> None:
    table = pd.read_csv(write_table(line_samples(50, seed=3), tmp_path / "new.csv"))
    answers = table.y.astype(object).where(table.index != 2)
    table.assign(y=answers.where(table.index != 4, "much")).to_csv(tmp_path / "new.csv", index=False)
    found = check.read([tmp_path / "new.csv"], model, "y")
    assert (len(found.inputs.values), len(found.answered.truth), found.problems.errors) == (50, 48, [])
    (error,) = found.problems.answer_errors
    assert error.startswith(f"{tmp_path}/new.csv: row 5 below the header: 'much' in column 'y'")
    report = check.check("line", model, reference, found)
    assert (report.metric.rows, report.unread) == (48, 0)
    assert " on those 48 of 50 new samples that have a true target and a prediction, " in verdict(report)


def test_without_any_true_answer_the_metric_cannot_be_compared(
    model: Model, reference: ModelReference, tmp_path: Path
) -> None:
    file = write_table(line_samples(50, seed=3), tmp_path / "new.csv")
    pd.read_csv(file).assign(y=np.nan).to_csv(file, index=False)
    report = check.check("line", model, reference, check.read([file], model, "y"))
    assert (report.is_alarm, report.as_json()["metric"]["is_comparable"]) == (False, False)
    assert "The correlation cannot be compared on those 0 of 50 new samples that" in verdict(report)


@pytest.mark.parametrize("missing", [150, 300])
def test_values_that_were_never_missing_are_drift_where_they_are(
    missing: int, model: Model, reference: ModelReference, tmp_path: Path
) -> None:
    file = write_table(line_samples(300, seed=2), tmp_path / "new.csv")
    table = pd.read_csv(file)
    table.loc[: missing - 1, "b"] = np.nan
    table.to_csv(file, index=False)
    found = check.read([file], model, "y")
    report = check.check("line", model, reference, found)
    (gaps,) = (each.test for each in report.tests if each.test.feature == "b (no value)")
    assert (gaps.reference, gaps.new) == ("0.0%", f"{missing / 300:.1%}")
    assert (report.drifted, report.incomplete, report.compared) == (["b (no value)"], missing, 300)
    assert report.outside["b"] >= missing
    assert found.problems == Problems()
    assert f"But {missing} of 300 samples lack a value that the model must have" in verdict(report)
    assert plot_drift(report, reference).subfigs


def test_where_rows_were_left_out_no_drift_is_not_said_without_them(
    model: Model, reference: ModelReference, tmp_path: Path
) -> None:
    file = write_table(line_samples(300, seed=2), tmp_path / "new.csv")
    lines = file.read_text().splitlines()
    lines[1], lines[2] = f",{lines[1].partition(',')[2]}", "1,2"
    file.write_text("\n".join(lines))
    report = check.check("line", model, reference, check.read([file], model))
    assert verdict(report) == (
        "No data drift was found, but 1 of 299 samples lack a value that the model must have, so that it does not "
        "answer them, and 1 more sample or file could not be read (see the errors)."
    )


def test_a_column_of_answers_that_is_not_there_is_an_error_with_the_nearest_name(model: Model, tmp_path: Path) -> None:
    found = check.read([write_table(line_samples(5), tmp_path / "new.csv")], model, "yy")
    assert found.inputs is None
    assert found.problems.errors == [
        f"{tmp_path}/new.csv: there is no column 'yy' with the true targets; did you mean y?"
    ]


def test_of_many_rows_some_are_drawn_and_keep_their_answers(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "MOST", 20)
    monkeypatch.setattr(check, "AT_ONCE", 7)
    samples = line_samples(300, seed=3)
    files = [write_table(samples.take(part), tmp_path / f"{part[0]}.csv") for part in np.split(np.arange(300), 3)]
    found = check.read(files, model, "y")
    drawn = found.inputs.values
    assert (len(drawn), len(found.answered.truth), found.rows) == (20, 20, 300)
    answers = {tuple(np.round(row, 9)): answer for row, answer in zip(samples.x, samples.y, strict=True)}
    assert [answers[tuple(np.round(row, 9))] for row in drawn] == pytest.approx(found.answered.truth)
    assert len({int(np.flatnonzero(np.isclose(samples.x[:, 0], value))[0]) // 100 for value in drawn[:, 0]}) == 3


@pytest.fixture
def classifier() -> Model:
    data = image_input()
    return models.fit(logistic.Settings(family="logistic"), EstimatorTraining(seed=7), data, training_context())[0]


def test_the_folder_of_an_image_is_its_class(classifier: Model, tmp_path: Path) -> None:
    for name in ("dark", "bright", "grey"):
        (tmp_path / "new" / name).mkdir(parents=True)
        Image.new("L", (8, 8), {"dark": 20, "bright": 220, "grey": 120}[name]).save(tmp_path / "new" / name / "1.png")
    (tmp_path / "new" / "dark" / ".hidden").write_text("litter")
    found = check.read([tmp_path / "new"], classifier, "folder")
    assert (found.rows, found.answered.truth.tolist()) == (3, [1, 0])
    (error,) = found.problems.answer_errors
    assert error.endswith("grey/1.png: its folder 'grey' is no class of this model; allowed: dark, bright")
    assert check.read([tmp_path / "new"], classifier).answered is None


def test_another_target_than_the_folder_is_refused_for_images(classifier: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match=r"--target label: this model takes no tables\. With `--target folder`"):
        check.read([tmp_path], classifier, "label")


def test_boxes_and_reconstructions_have_no_target(tmp_path: Path) -> None:
    description = image_input().description.model_copy(update={"task": "reconstruction"})
    with pytest.raises(ModelyardError, match="this model's task is reconstruction: leave it out"):
        check.read([tmp_path], _Unused(description), "folder")


# --- single samples ---


def test_values_outside_the_training_samples_are_named_with_their_range(reference: ModelReference) -> None:
    x = TRAINING.x[:3].copy()
    x[1, 0], x[1, 2] = 99, -99
    measured = contract.measure(x, fit_model("linear", TRAINING, features=NAMES).description)
    first, second, third = outside.name_outside(reference.inputs, measured, {})
    assert first == third == ""
    low, high = TRAINING.x[:, 0].min(), TRAINING.x[:, 0].max()
    assert second.startswith(f"a 99 ({low:.6g} to {high:.6g}); c -99 (")


def test_unknown_and_rare_categories_and_new_gaps_are_outside() -> None:
    town = contract.Column(name="town", kind="category", categories=("Bonn", "Ulm"))

    def of(codes: list[float]) -> contract.Measured:
        return contract.Measured((town,), np.array(codes).reshape(-1, 1), (True,))

    known = contract.Reference.of(of([0.0] * 20 + [1.0] * 3))
    assert outside.name_outside(known, of([0, 1, -1, np.nan]), {}) == [
        "",
        "town: Ulm (rare in training)",
        "town: a category never in training",
        "town: no value (never in training)",
    ]
    assert outside.count_outside(known, of([0, 1, -1, np.nan])) == {"town": 3}


def test_a_training_sample_is_never_outside() -> None:
    for data in (image_input(), image_input(channels=3), text_input()):
        known = contract.describe_training(data.samples.x, data.description)
        measured = contract.measure(data.training.x, data.description)
        assert not any(outside.name_outside(known, measured, {}))
