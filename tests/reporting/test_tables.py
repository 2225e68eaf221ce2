"""The result tables."""

import numpy as np
import pandas as pd
from support.paths import ROOT
from support.projects import CLASSIFICATION, REGRESSION, make_results

from modelyard import params
from modelyard.experiments.compare import compare
from modelyard.reporting.tables import ResultTable, result_tables

PROJECT = params.load(ROOT / "params.yaml")
PUBLISHED = params.load_published(PROJECT, ROOT / "published.yaml")


def tables_of(folder) -> dict[tuple[str, str], ResultTable]:
    results, pretrained = folder / "results", folder / "pretrained" / "results"
    return {
        (table.dataset, table.metric): table
        for table in result_tables(compare(PROJECT, PUBLISHED, results, pretrained))
    }


def test_experiments_of_a_data_set_share_an_axis(tmp_path) -> None:
    make_results(tmp_path, "boston_mlp", REGRESSION)
    make_results(tmp_path, "boston_linear", REGRESSION | {"correlation": 0.75, "r2": -1.5}, is_built=False)
    table = tables_of(tmp_path)["boston", "correlation"]
    assert table.metrics == ("correlation", "mae", "mse", "r2")
    assert table.axis is not None
    assert (table.axis.low, table.axis.high) == (0.74, 0.86)
    linear, mlp = table.rows
    assert (mlp.headline.text, mlp.headline.published, mlp.headline.is_inside) == (
        "0.85 (0.84 to 0.86)",
        0.79577571,
        False,
    )
    assert mlp.remarks == "raw features"
    assert linear.remarks.endswith("; worse than the mean of the targets: r2 -1.5; from the repository, not built here")
    assert linear.bar.left < mlp.bar.published < mlp.bar.left


def test_experiments_without_results_have_a_table_without_an_axis(tmp_path) -> None:
    make_results(tmp_path, "digits_cnn", CLASSIFICATION)
    table = tables_of(tmp_path)["boston", ""]
    assert (table.axis, table.metrics) == (None, ())
    assert {(row.headline, row.bar) for row in table.rows} == {(None, None)}


def test_a_table_shows_how_far_each_experiment_is_behind_the_best(tmp_path) -> None:
    for name, wrong in {"digits_mlp": 40, "digits_cnn": 2, "digits_mlp_onehot": 3}.items():
        make_results(tmp_path, name, CLASSIFICATION)
        right = np.roll(np.arange(100) >= wrong, 7 * wrong).astype(int)
        columns = {"truth": 1, "prediction": right, "probability": 0.9, "loss": 0.1}
        pd.DataFrame(columns).to_csv(tmp_path / "results" / name / "predictions.csv", index=False)
    table = tables_of(tmp_path)["digits", "accuracy"]
    rows = {row.experiment: row for row in table.rows}
    zero = table.behind_axis.position(0.0)
    assert (rows["digits_cnn"].behind, rows["digits_cnn"].could_be_best) == ("best", True)
    assert rows["digits_mlp_onehot"].could_be_best
    assert rows["digits_mlp_onehot"].behind.endswith(", indistinguishable")
    assert rows["digits_mlp_onehot"].behind_bar.left < zero
    assert not rows["digits_mlp"].could_be_best
    assert rows["digits_mlp"].behind_bar.left > zero
    assert tables_of(tmp_path)["boston", ""].behind_axis is None
