"""`modelyard explain` in a clone, and what it refuses."""

from pathlib import Path

import pandas as pd
import pytest
from support.commands import modelyard
from support.pipelines import Run
from support.tables import assert_fits

from modelyard.cli.explain import _importance_table


def test_coefficients_and_importances_are_written_and_plotted_once_for_each_experiment(
    run_linear: Run, linear_clone: Path
):
    done = run_linear("explain", "diabetes_linear", "diabetes_linear", "--shuffles", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(linear_clone / "reports" / "explain" / "diabetes.csv")
    assert set(table.measure) == {"coefficient", "importance"}
    assert len(table) == 20
    assert (linear_clone / "reports" / "explain" / "diabetes.png").read_bytes().startswith(b"\x89PNG")
    assert "bmi" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("boston_liner",), "no such experiment: boston_liner; did you mean boston_linear?"),
        (("boston_linear", "diabetes_mlp_standard"), "these experiments have different data sets"),
    ],
)
@pytest.mark.usefixtures("project")
def test_wrong_experiments_are_refused_before_anything_is_run(arguments: tuple[str, ...], message: str):
    result = modelyard("explain", *arguments)
    assert result.exit_code == 1
    assert message in result.output


def test_the_table_of_each_experiment_fits_a_terminal_of_80_columns():
    measures, columns = ("coefficient", "importance"), ("standard_deviation", "bmi")
    values = {"value": -0.12345, "low": -4567.8, "high": 123.4567}
    rows = [{"measure": measure, "feature": column} | values for measure in measures for column in columns]
    assert_fits(_importance_table("diabetes_mlp_standard", pd.DataFrame(rows)))
