"""`modelyard label-errors` in a clone, and what it refuses before anything is run."""

from pathlib import Path

import pandas as pd
import pytest
from support.commands import modelyard
from support.pipelines import Run, editing
from support.tables import assert_fits

from modelyard.cli.label_errors import _table

PIXELS = {"input": "digits", "model": {"family": "logistic"}, "training": {"seed": 7}}


def test_doubtful_samples_are_written_drawn_and_printed(run_linear: Run, linear_clone: Path) -> None:
    with editing(linear_clone / "params.yaml") as params:
        params["experiments"]["digits_logistic"] = PIXELS
    done = run_linear("label-errors", "digits_logistic", "--folds", "2", "--most", "30")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = linear_clone / "reports" / "label_errors"
    table = pd.read_csv(folder / "digits_logistic.csv", dtype={"label": str, "suggested": str})
    assert len(table) == 30
    assert (table.label != table.suggested).all()
    assert table.row.between(1, 1797).all() and table.row.is_unique
    digits = pd.read_csv(next((linear_clone / "data" / "raw" / "digits").glob("*.csv*")), header=None)
    assert digits.iloc[table.row - 1, -1].astype(int).astype(str).tolist() == table.label.tolist()
    assert (folder / "digits_logistic.png").read_bytes().startswith(b"\x89PNG")
    assert "of 1437 training and validation samples have a likely label error" in done.stdout
    assert not (linear_clone / "results" / "digits_logistic").exists()


def test_what_looks_like_a_key_in_the_sheet_is_a_warning(run_linear: Run, linear_clone: Path) -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    table = "a,kind\n" + "".join(f"{number},{('plain', key)[number % 2]}\n" for number in range(40))
    with editing(linear_clone / "params.yaml") as params:
        entry = {"reader": "table", "task": "classification", "description": "Made up.", "target": "kind"}
        params["datasets"]["made_up"] = entry | {"classes": [key, "plain"], "files": {"made_up.csv": {"text": table}}}
        split = {"test": 0.2, "test_seed": 1, "validation": 0.2}
        params["inputs"]["made_up"] = {"dataset": "made_up", "split": split, "scaling": "none"}
        params["experiments"]["made_up"] = {**PIXELS, "input": "made_up"}
    done = run_linear("label-errors", "made_up", "--folds", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: reports/label_errors/made_up.csv, which the report shows, has what looks like a key" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits_mpl",), "no such experiment: digits_mpl; did you mean digits_mlp?"),
        (("boston_linear",), "label errors are those of a classification, and this experiment is a regression"),
        (("mnist_autoencoder",), "this experiment is a reconstruction"),
        (("mnist_transfer",), "mnist_transfer is a transfer"),
    ],
)
@pytest.mark.usefixtures("project")
def test_wrong_experiments_are_refused_before_anything_is_run(arguments: tuple[str, ...], message: str) -> None:
    result = modelyard("label-errors", *arguments)
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize("texts", [[], ["wheat and [b]corn[/b] exports of the year " * 2]])
def test_the_table_fits_a_terminal_of_80_columns(texts: list[str]) -> None:
    row = {"row": 60000, "label": "T-shirt/top", "suggested": "Pullover shirt", "likely_error": True}
    probabilities = {"probability_of_label": 0.00126345, "probability_of_suggested": 0.99812345}
    assert_fits(_table(pd.DataFrame([row | probabilities]), texts))
