"""The comparison of made-up results with the real params.yaml, and what tuning gained."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap
from support.paths import ROOT

from modelyard import params
from modelyard.core.files import read_json, write_json
from modelyard.experiments import compare
from modelyard.experiments.compare import EARLIER, MISSING, REBUILT, UNREADABLE

METRICS = {
    "regression": {"loss": 20.0, "mae": 3.0, "mse": 20.0, "r2": 0.7, "correlation": 0.85},
    "classification": {"loss": 0.3, "accuracy": 0.9, "macro_f1": 0.88},
    "reconstruction": {"mse": 0.01, "mae": 0.04, "r2": 0.9},
    "detection": {"mean_average_precision": 0.8, "precision": 0.9, "recall": 0.7},
}


@pytest.fixture
def project() -> params.Project:
    return params.load(ROOT / "params.yaml")


def make_results(folder: Path, task: str, rebuilt: bool = True, **intervals: tuple[float, float]) -> None:
    """Results in which the interval of each metric reaches ten percent to either side, unless given."""
    metrics = METRICS[task]
    around = {name: (value * 0.9, value * 1.1) for name, value in metrics.items()} | intervals
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "details.json", {"intervals": around})
    if rebuilt:
        (folder / "model").mkdir()


def compared(project: params.Project, folder: Path) -> pd.DataFrame:
    """The comparison of results in one folder with the published values of this project."""
    published = params.load_published(params.load(ROOT / "params.yaml"), ROOT / "published.yaml")
    return compare.compare(project, published, folder, folder)


def rows_of(table: pd.DataFrame, experiment: str) -> pd.DataFrame:
    return table[table.experiment == experiment].set_index("metric")


def test_a_published_value_is_inside_our_interval_or_outside_it(project: params.Project, tmp_path: Path) -> None:
    """boston_mlp was published with mse 31.3058, mae 4.3813 and correlation 0.79577571."""
    wide = {"mse": (10.0, 31.3058), "mae": (2.0, 4.38), "correlation": (0.7, 0.9)}
    make_results(tmp_path / "boston_mlp", "regression", **wide)
    rows = rows_of(compared(project, tmp_path), "boston_mlp")
    assert rows.published.drop("r2").to_dict() == {"correlation": 0.79577571, "mae": 4.3813, "mse": 31.3058}
    assert rows.inside.drop("r2").to_dict() == {"correlation": True, "mae": False, "mse": True}
    assert rows.loc["r2", ["published", "inside"]].isna().all()
    assert rows.loc["mse", ["value", "low", "high"]].to_list() == [20.0, 10.0, 31.3058]
    cells = (
        "| 20 (10 to 31.31) | 0.7 (0.63 to 0.77) |  | correlation 0.7958 inside, mae 4.381 outside, mse 31.31 inside |"
    )
    assert cells in compare.markdown(rows.reset_index(), {})


def test_an_experiment_is_rebuilt_here_or_was_committed_earlier_or_is_not_built(
    project: params.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification", rebuilt=False)
    (tmp_path / "fashion_cnn" / "model").mkdir(parents=True)  # trained, not evaluated
    table = compared(project, tmp_path)
    states = table.groupby("experiment").state.unique().map(list).to_dict()
    assert states.pop("boston_mlp") == [REBUILT]
    assert states.pop("digits_cnn") == [EARLIER]
    assert states == {name: [MISSING] for name in project.all_experiments if name not in ("boston_mlp", "digits_cnn")}
    assert len(rows_of(table, "fashion_cnn")) == 1
    markdown = compare.markdown(table, {})
    assert f"convolutional network for comparison; {EARLIER} |" in markdown
    assert f"overfits; convolutions without activations; {MISSING} |" in markdown
    assert "mse 31.31 outside | raw features |" in markdown  # what was rebuilt needs no remark


def test_data_sets_and_experiments_have_the_order_of_params_yaml(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "digits_mlp", "classification")
    reversed_experiments = dict(reversed(project.experiments.items()))
    table = compared(project.model_copy(update={"experiments": reversed_experiments}), tmp_path)
    used = [name for name in project.datasets if name in set(map(project.dataset_of, project.all_experiments))]
    assert list(table.dataset.unique()) == used
    of_boston = [name for name in reversed_experiments if project.dataset_of(name) == "boston"]
    assert list(table[table.dataset == "boston"].experiment) == of_boston


def test_markdown_has_one_table_for_each_data_set(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification")
    _, *parts = compare.markdown(compared(project, tmp_path), {}).split("\n## ")
    assert [part.splitlines()[0] for part in parts] == [
        name for name in project.datasets if name in set(map(project.dataset_of, project.all_experiments))
    ]
    for part in parts:
        header, rule, *rows = (line for line in part.splitlines() if line.startswith("|"))
        assert set(rule) == set("| -")
        assert {row.count("|") for row in rows} == {header.count("|")}
    (digits,) = (part for part in parts if part.startswith("digits\n"))
    assert "| experiment | notebook | accuracy | macro_f1 | loss | behind the best | published | remarks |" in digits
    assert "| `digits_cnn` | 001 | 0.9 (0.81 to 0.99) | 0.88 (0.792 to 0.968) |" in digits


def test_an_experiment_removed_from_params_does_not_appear(project: params.Project, tmp_path: Path) -> None:
    for name in ("boston_mlp", "boston_linear", "never_heard_of"):
        make_results(tmp_path / name, "regression")
    kept = {name: entry for name, entry in project.experiments.items() if name != "boston_linear"}
    table = compared(project.model_copy(update={"experiments": kept}), tmp_path)
    assert set(table.experiment) == {*kept, *project.transfers, *project.pretrained}


def test_experiments_of_every_section_are_compared(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "cifar10_vgg16", "classification", rebuilt=False)
    make_results(tmp_path / "mnist_transfer", "classification")
    table = compared(project, tmp_path)
    assert set(rows_of(table, "cifar10_vgg16").state) == {EARLIER}
    assert rows_of(table, "mnist_transfer").value.to_dict() == {"accuracy": 0.9, "macro_f1": 0.88, "loss": 0.3}
    of_cifar = table[table.dataset == "cifar10"].experiment
    assert list(of_cifar.unique()) == ["cifar10_ann", "cifar10_cnn", "cifar10_augmented", "cifar10_vgg16"]


def test_two_tasks_on_one_data_set_have_their_own_columns_and_headline_metrics(
    project: params.Project, tmp_path: Path
) -> None:
    """The autoencoder learns from the data of the classifiers."""
    make_results(tmp_path / "mnist_autoencoder", "reconstruction")
    make_results(tmp_path / "mnist_cnn", "classification")
    table = compared(project, tmp_path)
    (mnist,) = (part for part in compare.markdown(table, {}).split("\n## ") if part.startswith("mnist\n"))
    assert "| experiment | notebook | accuracy | macro_f1 | loss | r2 | mse | mae | behind the best |" in mnist
    cells = (
        "| `mnist_autoencoder` | 001 |  |  |  | 0.9 (0.81 to 0.99) | 0.01 (0.009 to 0.011) | 0.04 (0.036 to 0.044) |"
    )
    assert cells in mnist
    headlines = compare.scores(table).set_index("experiment").metric.to_dict()
    assert headlines == {"mnist_cnn": "accuracy", "mnist_autoencoder": "r2"}


def test_a_detection_is_compared_by_its_own_metrics(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "mnist_detector", "detection")
    table = compared(project, tmp_path)
    shown = {"mean_average_precision": 0.8, "precision": 0.9, "recall": 0.7}
    assert rows_of(table, "mnist_detector").value.to_dict() == shown
    assert compare.scores(table).to_numpy().tolist() == [["mnist_detector", "mean_average_precision", 0.8]]


def test_scores_hold_the_headline_metric_of_each_built_experiment(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification", rebuilt=False)
    table = compare.scores(compared(project, tmp_path))
    expected = [["boston_mlp", "correlation", 0.85], ["digits_cnn", "accuracy", 0.9]]
    assert table.to_numpy().tolist() == expected
    assert list(table.columns) == ["experiment", "metric", "score"]


def test_the_overview_has_one_row_per_experiment_with_its_headline_metric(
    project: params.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    overview = compare.overview(compared(project, tmp_path)).set_index("experiment")
    assert list(overview.index) == list(compared(project, tmp_path).experiment.unique())
    expected = ["004", "correlation 0.85 (0.765 to 0.935)", "correlation 0.7958 inside", "raw features"]
    assert overview.loc["boston_mlp"].to_list() == expected
    assert overview.loc["mnist_cnn"].to_list() == ["003", "", "", f"the published value is lost; {MISSING}"]


@pytest.mark.parametrize(("r2", "warned"), [(-3.25, True), (-0.001, True), (0.0, False), (0.7, False)])
def test_predictions_worse_than_the_mean_of_the_targets_get_a_warning_whatever_the_correlation(
    project: params.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, r2: float, warned: bool
) -> None:
    monkeypatch.setitem(METRICS["regression"], "r2", r2)
    make_results(tmp_path / "boston_mlp", "regression")
    table = compared(project, tmp_path)
    warning = f"raw features; worse than the mean of the targets: r2 {r2:.4g}"
    remarks = compare.overview(table).set_index("experiment").remarks["boston_mlp"]
    assert remarks == (warning if warned else "raw features")
    assert (warning in compare.markdown(table, {})) is warned


@pytest.mark.parametrize(("published", "inside"), [(0.6637, True), (0.6636, True), (0.6635, False), (0.664, True)])
def test_a_published_value_is_compared_up_to_its_printed_decimals(published: float, inside: bool):
    assert compare._is_inside(published, 0.66365, 0.66365) is inside


def test_experiments_on_the_same_test_samples_are_compared_with_the_best(
    project: params.Project, tmp_path: Path
) -> None:
    samples = np.arange(500)
    wrong = {"digits_cnn": 20, "digits_mlp": 22, "digits_mlp_onehot": 170, "mnist_cnn": 30}
    for number, (name, count) in enumerate(wrong.items()):
        make_results(tmp_path / name, "classification")
        write_predictions(tmp_path / name, (samples + 7 * number) % 500 >= count)
    table = compared(project, tmp_path)
    rows = {name: rows_of(table, name).loc["accuracy"] for name in wrong}
    assert rows["digits_cnn"].behind == rows["digits_cnn"].behind_high == 0
    assert rows["digits_mlp"].behind_low <= 0 < rows["digits_mlp"].behind
    assert 0.2 < rows["digits_mlp_onehot"].behind_low < 0.3 < rows["digits_mlp_onehot"].behind_high < 0.4
    assert np.isnan(rows["mnist_cnn"].behind)  # the only one of its data set
    assert rows_of(table, "digits_cnn").behind.drop("accuracy").isna().all()
    plain = compare.compare(project, {}, tmp_path, tmp_path, with_distances=False)
    assert plain.behind.isna().all()
    markdown = compare.markdown(table, {})
    assert "| 0.3 (0.27 to 0.33) | **best** |" in markdown
    assert markdown.count("**indistinguishable**") == 1


def test_other_test_samples_are_not_compared(project: params.Project, tmp_path: Path) -> None:
    for name, count in (("digits_cnn", 100), ("digits_mlp", 90)):
        make_results(tmp_path / name, "classification")
        write_predictions(tmp_path / name, np.ones(count, dtype=bool))
    assert compared(project, tmp_path).behind.isna().all()


def test_nothing_is_behind_the_best_where_the_best_is_without_predictions(
    project: params.Project, tmp_path: Path
) -> None:
    for name, first_right in (("digits_mlp", 40), ("digits_mlp_onehot", 50)):
        make_results(tmp_path / name, "classification")
        write_predictions(tmp_path / name, np.arange(200) >= first_right)
    make_results(tmp_path / "digits_cnn", "classification", rebuilt=False)
    write_json(tmp_path / "digits_cnn" / "metrics.json", METRICS["classification"] | {"accuracy": 0.5})
    assert compared(project, tmp_path).behind.notna().any()
    write_json(tmp_path / "digits_cnn" / "metrics.json", METRICS["classification"] | {"accuracy": 0.96})
    assert compared(project, tmp_path).behind.isna().all()


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_predictions_that_are_not_readable_have_no_distance_from_the_best(
    project: params.Project, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("digits_cnn", "digits_mlp"):
        make_results(tmp_path / name, "classification")
        write_predictions(tmp_path / name, np.ones(10, dtype=bool))
    (tmp_path / "digits_mlp" / "predictions.csv").write_text(content)
    assert compared(project, tmp_path).behind.isna().all()
    assert "warning: digits_mlp is not compared with the best" in capsys.readouterr().err


TUNED = """
  digits_mlp_tuned:
    input: digits
    model: {family: mlp, units: [8]}
    training: {seed: 7, epochs: 1, batch_size: 8, loss: categorical_crossentropy}
  digits_mlp:
"""


@pytest.fixture
def with_tuned(tmp_path: Path) -> params.Project:
    """The real params.yaml with a tuned experiment beside digits_mlp."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("\n  digits_mlp:\n", TUNED))
    return params.load(tmp_path / "params.yaml")


def write_predictions(folder: Path, right: np.ndarray) -> None:
    """Predictions of samples of class 1, of which some are right."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = np.ones(len(right), dtype=int)
    columns = {"truth": truth, "prediction": np.where(right, 1, 2), "probability": 0.9, "loss": 0.1}
    pd.DataFrame(columns).to_csv(folder / "predictions.csv", index=False)


def test_a_gain_is_measured_on_the_same_samples_with_the_interval_that_scipy_finds(
    with_tuned: params.Project, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    before = random.random(400) < 0.8
    after = before | (random.random(400) < 0.5)
    write_predictions(tmp_path / "digits_mlp", before)
    write_predictions(tmp_path / "digits_mlp_tuned", after)
    gains = compare.tuning_gains(with_tuned, tmp_path)
    assert list(gains) == ["digits_mlp"]
    gain = gains["digits_mlp"]
    assert (gain.metric, gain.samples) == ("accuracy", 400)
    assert gain.gain == pytest.approx(after.mean() - before.mean())
    per_sample = after.astype(float) - before.astype(float)
    expected = bootstrap((per_sample,), np.mean, n_resamples=5000, method="percentile", rng=random).confidence_interval
    assert tuple(gain.interval) == pytest.approx(tuple(expected), abs=0.01)
    markdown = compare.markdown(compared(with_tuned, tmp_path), gains)
    assert f"| `digits_mlp` | accuracy | {before.mean():.4g} | {after.mean():.4g} | +" in markdown


def test_there_is_no_gain_without_the_predictions_of_both(with_tuned: params.Project, tmp_path: Path) -> None:
    write_predictions(tmp_path / "digits_mlp_tuned", np.ones(10, dtype=bool))
    assert compare.tuning_gains(with_tuned, tmp_path) == {}
    assert "tuning" not in compare.markdown(compared(with_tuned, tmp_path), {})


def test_detections_cannot_be_paired(with_tuned: params.Project, tmp_path: Path) -> None:
    boxes = pd.DataFrame(
        {"image": [0], "class": [1], "score": [0.9], "left": [0], "top": [0], "right": [4], "bottom": [4]}
    )
    for name in ("mnist_detector", "mnist_detector_tuned"):
        (tmp_path / name).mkdir()
        boxes.to_csv(tmp_path / name / "predictions.csv", index=False)
    assert compare.tuning_gains(with_tuned, tmp_path) == {}


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "truth,prediction,probability,loss\n1,1,0.9,0.1\n"])
def test_predictions_that_cannot_be_paired_are_left_out_with_a_warning(
    with_tuned: params.Project, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_predictions(tmp_path / "digits_mlp", np.ones(10, dtype=bool))
    write_predictions(tmp_path / "digits_mlp_tuned", np.ones(10, dtype=bool))
    (tmp_path / "digits_mlp" / "predictions.csv").write_text(content)
    assert compare.tuning_gains(with_tuned, tmp_path) == {}
    assert "warning: the gain of digits_mlp_tuned is left out" in capsys.readouterr().err


def test_a_result_of_another_task_or_a_broken_one_has_a_remark_and_no_value(
    project: params.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "boston_mlp", "classification")
    make_results(tmp_path / "digits_cnn", "classification")
    (tmp_path / "digits_cnn" / "details.json").write_text("{")
    table = compared(project, tmp_path)
    assert compare.scores(table).empty
    remarks = compare.overview(table).set_index("experiment").remarks
    reason = "metrics.json has loss, accuracy, macro_f1, but not correlation, mae, mse, r2: it is of another task"
    assert reason in remarks["boston_mlp"]
    assert "details.json: not valid JSON" in remarks["digits_cnn"]
    assert remarks["digits_cnn"].endswith("To build it again: modelyard run digits_cnn")
    assert UNREADABLE in compare.markdown(table, {})


def test_results_of_folds_are_a_remark_of_those_that_have_them(project: params.Project, tmp_path: Path) -> None:
    for name in ("boston_mlp", "boston_linear"):
        make_results(tmp_path / name, "regression")
    details = read_json(tmp_path / "boston_mlp" / "details.json")
    found = {"mean": 0.8123, "sd": 0.02, "low": 0.79, "high": 0.83, "values": [0.8, 0.82]}
    folds = {"folds": 5, "repeats": 2, "metrics": {"correlation": found, "mae": found}}
    write_json(tmp_path / "boston_mlp" / "details.json", details | {"folds": folds})
    table = compare.overview(compared(project, tmp_path)).set_index("experiment")
    assert "correlation 0.8123 (0.79 to 0.83) in 5 folds of the training samples, 2 times" in table.remarks.boston_mlp
    assert "folds" not in table.remarks.boston_linear


def test_broken_results_of_folds_are_named(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    details = read_json(tmp_path / "boston_mlp" / "details.json")
    write_json(tmp_path / "boston_mlp" / "details.json", details | {"folds": {"folds": 5}})
    (row,) = compared(project, tmp_path).query("experiment == 'boston_mlp'").itertuples()
    assert row.state.startswith(UNREADABLE)
    assert "boston_mlp/details.json: not what an evaluation writes" in row.state


def test_predictions_of_other_samples_have_no_gain(
    with_tuned: params.Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("digits_mlp", "digits_mlp_tuned"):
        write_predictions(tmp_path / name, np.ones(10, dtype=bool))
    file = tmp_path / "digits_mlp" / "predictions.csv"
    table = pd.read_csv(file)
    table["truth"] = 2
    table.to_csv(file, index=False)
    assert compare.tuning_gains(with_tuned, tmp_path) == {}
    assert "(ValueError: they are of other test samples)" in capsys.readouterr().err
