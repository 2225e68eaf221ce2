"""The comparison of made-up results under the real params.yaml."""

from pathlib import Path

import pandas as pd
import pytest
from support.paths import ROOT

from modelyard import params
from modelyard.core.files import write_json
from modelyard.experiments import compare
from modelyard.experiments.compare import EARLIER, MISSING, REBUILT

FIGURES = {
    "regression": {"loss": 20.0, "mae": 3.0, "mse": 20.0, "r2": 0.7, "correlation": 0.85},
    "classification": {"loss": 0.3, "accuracy": 0.9, "macro_f1": 0.88},
    "reconstruction": {"mse": 0.01, "mae": 0.04, "r2": 0.9},
    "detection": {"mean_average_precision": 0.8, "precision": 0.9, "recall": 0.7},
}


@pytest.fixture
def project() -> params.Project:
    return params.load(ROOT / "params.yaml")


def make_results(folder: Path, task: str, rebuilt: bool = True, **intervals: tuple[float, float]) -> None:
    """Results with each figure's interval ten percent to either side, if not given."""
    figures = FIGURES[task]
    around = {name: (value * 0.9, value * 1.1) for name, value in figures.items()} | intervals
    write_json(folder / "metrics.json", figures)
    write_json(folder / "details.json", {"intervals": around})
    if rebuilt:
        (folder / "model").mkdir()


def rows_of(table: pd.DataFrame, experiment: str) -> pd.DataFrame:
    return table[table.experiment == experiment].set_index("metric")


def test_a_published_figure_is_inside_our_interval_or_outside_it(project: params.Project, tmp_path: Path) -> None:
    """boston_mlp was published with mse 31.3058, mae 4.3813 and correlation 0.79577571."""
    wide = {"mse": (10.0, 31.3058), "mae": (2.0, 4.38), "correlation": (0.7, 0.9)}
    make_results(tmp_path / "boston_mlp", "regression", **wide)
    rows = rows_of(compare.compare(project, tmp_path, tmp_path), "boston_mlp")
    assert rows.published.drop("r2").to_dict() == {"correlation": 0.79577571, "mae": 4.3813, "mse": 31.3058}
    assert rows.inside.drop("r2").to_dict() == {"correlation": True, "mae": False, "mse": True}
    assert rows.loc["r2", ["published", "inside"]].isna().all()
    assert rows.loc["mse", ["value", "low", "high"]].to_list() == [20.0, 10.0, 31.3058]
    cells = "| 20 (10 to 31.31) | 0.7 (0.63 to 0.77) | correlation 0.7958 inside, mae 4.381 outside, mse 31.31 inside |"
    assert cells in compare.markdown(rows.reset_index())


def test_an_experiment_is_rebuilt_here_or_was_committed_earlier_or_is_not_built(
    project: params.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification", rebuilt=False)
    (tmp_path / "fashion_cnn" / "model").mkdir(parents=True)  # trained, not evaluated
    table = compare.compare(project, tmp_path, tmp_path)
    states = table.groupby("experiment").state.unique().map(list).to_dict()
    assert states.pop("boston_mlp") == [REBUILT]
    assert states.pop("digits_cnn") == [EARLIER]
    assert states == {name: [MISSING] for name in project.all_experiments if name not in ("boston_mlp", "digits_cnn")}
    assert len(rows_of(table, "fashion_cnn")) == 1
    markdown = compare.markdown(table)
    assert f"a convolutional network beside it; {EARLIER} |" in markdown
    assert f"over-fits without activations; {MISSING} |" in markdown
    assert "mse 31.31 outside | raw features |" in markdown  # what was rebuilt needs no remark


def test_data_sets_and_their_experiments_stand_in_the_order_of_params(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "digits_mlp", "classification")
    reversed_experiments = dict(reversed(project.experiments.items()))
    table = compare.compare(project.model_copy(update={"experiments": reversed_experiments}), tmp_path, tmp_path)
    used = [name for name in project.datasets if name in set(map(project.dataset_of, project.all_experiments))]
    assert list(table.dataset.unique()) == used
    of_boston = [name for name in reversed_experiments if project.dataset_of(name) == "boston"]
    assert list(table[table.dataset == "boston"].experiment) == of_boston


def test_markdown_has_one_table_for_each_data_set(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification")
    _, *parts = compare.markdown(compare.compare(project, tmp_path, tmp_path)).split("\n## ")
    assert [part.splitlines()[0] for part in parts] == [
        name for name in project.datasets if name in set(map(project.dataset_of, project.all_experiments))
    ]
    for part in parts:
        header, rule, *rows = (line for line in part.splitlines() if line.startswith("|"))
        assert set(rule) == set("| -")
        assert {row.count("|") for row in rows} == {header.count("|")}
    (digits,) = (part for part in parts if part.startswith("digits\n"))
    assert "| experiment | notebook | accuracy | macro_f1 | loss | published | remarks |" in digits
    assert "| `digits_cnn` | 001 | 0.9 (0.81 to 0.99) | 0.88 (0.792 to 0.968) |" in digits


def test_an_experiment_removed_from_params_does_not_appear(project: params.Project, tmp_path: Path) -> None:
    for name in ("boston_mlp", "boston_linear", "never_heard_of"):
        make_results(tmp_path / name, "regression")
    kept = {name: entry for name, entry in project.experiments.items() if name != "boston_linear"}
    table = compare.compare(project.model_copy(update={"experiments": kept}), tmp_path, tmp_path)
    assert set(table.experiment) == {*kept, *project.transfers, *project.pretrained}


def test_experiments_of_every_section_stand_beside_each_other(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "cifar10_vgg16", "classification", rebuilt=False)
    make_results(tmp_path / "mnist_transfer", "classification")
    table = compare.compare(project, tmp_path, tmp_path)
    assert set(rows_of(table, "cifar10_vgg16").state) == {EARLIER}
    assert rows_of(table, "mnist_transfer").value.to_dict() == {"accuracy": 0.9, "macro_f1": 0.88, "loss": 0.3}
    of_cifar = table[table.dataset == "cifar10"].experiment
    assert list(of_cifar.unique()) == ["cifar10_ann", "cifar10_cnn", "cifar10_vgg16"]


def test_two_tasks_on_one_data_set_have_each_their_own_columns_and_headline(
    project: params.Project, tmp_path: Path
) -> None:
    """The autoencoder restores the digits that others name."""
    make_results(tmp_path / "mnist_autoencoder", "reconstruction")
    make_results(tmp_path / "mnist_cnn", "classification")
    table = compare.compare(project, tmp_path, tmp_path)
    (mnist,) = (part for part in compare.markdown(table).split("\n## ") if part.startswith("mnist\n"))
    assert "| experiment | notebook | accuracy | macro_f1 | loss | r2 | mse | mae | published | remarks |" in mnist
    cells = (
        "| `mnist_autoencoder` | 001 |  |  |  | 0.9 (0.81 to 0.99) | 0.01 (0.009 to 0.011) | 0.04 (0.036 to 0.044) |"
    )
    assert cells in mnist
    headlines = compare.scores(table).set_index("experiment").metric.to_dict()
    assert headlines == {"mnist_cnn": "accuracy", "mnist_autoencoder": "r2"}


def test_a_detection_is_compared_by_its_boxes(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "digits_detector", "detection")
    table = compare.compare(project, tmp_path, tmp_path)
    shown = {"mean_average_precision": 0.8, "precision": 0.9, "recall": 0.7}
    assert rows_of(table, "digits_detector").value.to_dict() == shown
    assert compare.scores(table).to_numpy().tolist() == [["digits_detector", "mean_average_precision", 0.8]]


def test_scores_hold_one_figure_for_each_built_experiment(project: params.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification", rebuilt=False)
    table = compare.scores(compare.compare(project, tmp_path, tmp_path))
    expected = [["boston_mlp", "correlation", 0.85], ["digits_cnn", "accuracy", 0.9]]
    assert table.to_numpy().tolist() == expected
    assert list(table.columns) == ["experiment", "metric", "score"]


def test_the_overview_has_one_line_an_experiment_with_its_headline_figure(
    project: params.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    overview = compare.overview(compare.compare(project, tmp_path, tmp_path)).set_index("experiment")
    assert list(overview.index) == list(compare.compare(project, tmp_path, tmp_path).experiment.unique())
    expected = ["004", "correlation 0.85 (0.765 to 0.935)", "correlation 0.7958 inside", "raw features"]
    assert overview.loc["boston_mlp"].to_list() == expected
    assert overview.loc["mnist_cnn"].to_list() == ["003", "", "", f"its own figure is lost; {MISSING}"]


@pytest.mark.parametrize(("r2", "warned"), [(-3.25, True), (-0.001, True), (0.0, False), (0.7, False)])
def test_answers_that_are_worse_than_the_mean_of_the_targets_are_warned_of_whatever_the_correlation(
    project: params.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, r2: float, warned: bool
) -> None:
    monkeypatch.setitem(FIGURES["regression"], "r2", r2)
    make_results(tmp_path / "boston_mlp", "regression")
    table = compare.compare(project, tmp_path, tmp_path)
    warning = f"raw features; worse than the mean of the targets: r2 {r2:.4g}"
    remarks = compare.overview(table).set_index("experiment").remarks["boston_mlp"]
    assert remarks == (warning if warned else "raw features")
    assert (warning in compare.markdown(table)) is warned


@pytest.mark.parametrize(("published", "inside"), [(0.6637, True), (0.6636, True), (0.6635, False), (0.664, True)])
def test_a_published_figure_counts_to_the_decimals_that_were_printed(published: float, inside: bool):
    assert compare._is_inside(published, 0.66365, 0.66365) is inside
