"""The result tables."""

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
