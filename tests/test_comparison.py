"""The comparison of made-up results under the real params.yaml."""

from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from modelyard import comparison, settings
from modelyard.comparison import EARLIER, MISSING, REBUILT
from modelyard.files import write_json

FIGURES = {
    "regression": {"loss": 20.0, "mae": 3.0, "mse": 20.0, "r2": 0.7, "correlation": 0.85},
    "classification": {"loss": 0.3, "accuracy": 0.9, "macro_f1": 0.88},
}


@pytest.fixture
def project() -> settings.Project:
    return settings.load(ROOT / "params.yaml")


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


def test_a_published_figure_is_inside_our_interval_or_outside_it(project: settings.Project, tmp_path: Path) -> None:
    """boston_mlp was published with mse 31.3058, mae 4.3813 and correlation 0.79577571."""
    wide = {"mse": (10.0, 31.3058), "mae": (2.0, 4.38), "correlation": (0.7, 0.9)}
    make_results(tmp_path / "boston_mlp", "regression", **wide)
    rows = rows_of(comparison.compare(project, tmp_path), "boston_mlp")
    assert rows.published.drop("r2").to_dict() == {"correlation": 0.79577571, "mae": 4.3813, "mse": 31.3058}
    assert rows.inside.drop("r2").to_dict() == {"correlation": True, "mae": False, "mse": True}
    assert rows.loc["r2", ["published", "inside"]].isna().all()
    assert rows.loc["mse", ["value", "low", "high"]].to_list() == [20.0, 10.0, 31.3058]
    cells = "| 20 (10 to 31.31) | 0.7 (0.63 to 0.77) | correlation 0.7958 inside, mae 4.381 outside, mse 31.31 inside |"
    assert cells in comparison.markdown(rows.reset_index())


def test_an_experiment_is_rebuilt_here_or_was_committed_earlier_or_is_not_built(
    project: settings.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification", rebuilt=False)
    (tmp_path / "fashion_cnn" / "model").mkdir(parents=True)  # trained, not evaluated
    table = comparison.compare(project, tmp_path)
    states = table.groupby("experiment").state.unique().map(list).to_dict()
    assert states.pop("boston_mlp") == [REBUILT]
    assert states.pop("digits_cnn") == [EARLIER]
    assert states == {name: [MISSING] for name in project.experiments if name not in ("boston_mlp", "digits_cnn")}
    assert len(rows_of(table, "fashion_cnn")) == 1
    markdown = comparison.markdown(table)
    assert f"a convolutional network beside it; {EARLIER} |" in markdown
    assert f"over-fits without activations; {MISSING} |" in markdown
    assert "mse 31.31 outside | raw features |" in markdown  # what was rebuilt needs no remark


def test_data_sets_and_their_experiments_stand_in_the_order_of_params(
    project: settings.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "digits_mlp", "classification")
    reversed_experiments = dict(reversed(project.experiments.items()))
    table = comparison.compare(project.model_copy(update={"experiments": reversed_experiments}), tmp_path)
    used = [name for name in project.datasets if name in set(map(project.dataset_of, project.experiments))]
    assert list(table.dataset.unique()) == used
    of_boston = [name for name in reversed_experiments if project.dataset_of(name) == "boston"]
    assert list(table[table.dataset == "boston"].experiment) == of_boston


def test_markdown_has_one_table_for_each_data_set(project: settings.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification")
    _, *parts = comparison.markdown(comparison.compare(project, tmp_path)).split("\n## ")
    assert [part.splitlines()[0] for part in parts] == list(dict.fromkeys(map(project.dataset_of, project.experiments)))
    for part in parts:
        header, rule, *rows = (line for line in part.splitlines() if line.startswith("|"))
        assert set(rule) == set("| -")
        assert {row.count("|") for row in rows} == {header.count("|")}
    (digits,) = (part for part in parts if part.startswith("digits"))
    assert "| experiment | notebook | accuracy | macro_f1 | loss | published | remarks |" in digits
    assert "| `digits_cnn` | 001 | 0.9 (0.81 to 0.99) | 0.88 (0.792 to 0.968) |" in digits


def test_an_experiment_removed_from_params_does_not_appear(project: settings.Project, tmp_path: Path) -> None:
    for name in ("boston_mlp", "boston_linear", "never_heard_of"):
        make_results(tmp_path / name, "regression")
    kept = {name: entry for name, entry in project.experiments.items() if name != "boston_linear"}
    table = comparison.compare(project.model_copy(update={"experiments": kept}), tmp_path)
    assert set(table.experiment) == set(kept)


def test_scores_hold_one_figure_for_each_built_experiment(project: settings.Project, tmp_path: Path) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    make_results(tmp_path / "digits_cnn", "classification", rebuilt=False)
    table = comparison.scores(comparison.compare(project, tmp_path))
    expected = [["boston_mlp", "correlation", 0.85], ["digits_cnn", "accuracy", 0.9]]
    assert table.to_numpy().tolist() == expected
    assert list(table.columns) == ["experiment", "metric", "score"]


def test_the_overview_has_one_line_an_experiment_with_its_headline_figure(
    project: settings.Project, tmp_path: Path
) -> None:
    make_results(tmp_path / "boston_mlp", "regression")
    overview = comparison.overview(comparison.compare(project, tmp_path)).set_index("experiment")
    assert list(overview.index) == list(comparison.compare(project, tmp_path).experiment.unique())
    expected = ["004", "correlation 0.85 (0.765 to 0.935)", "correlation 0.7958 inside", "raw features"]
    assert overview.loc["boston_mlp"].to_list() == expected
    assert overview.loc["mnist_cnn"].to_list() == ["003", "", "", f"its own figure is lost; {MISSING}"]
