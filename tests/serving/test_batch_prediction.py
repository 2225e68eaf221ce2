"""Predictions for `batches`: one table for all files, and what files that cannot be read do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.built_experiments import fit_model, line_samples

from modelyard.core.errors import ModelyardError
from modelyard.models import Model
from modelyard.serving.batch_prediction import predict_files

NAMES = ("a", "b", "c")


@pytest.fixture
def model() -> Model:
    return fit_model("linear", line_samples(40), features=NAMES)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of two tables, of which the second has a broken row."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("1.csv", "2.csv"):
        pd.DataFrame(line_samples(5).x, columns=NAMES).to_csv(folder / name, index=False)
    with (folder / "2.csv").open("a") as file:
        file.write("1,much,3\n")
    (folder / ".hidden").write_text("litter")
    return folder


def test_all_files_of_a_folder_become_one_table(model: Model, data: Path, tmp_path: Path) -> None:
    count, lines = predict_files(model, data, tmp_path / "out.csv", "leave_out")
    table = pd.read_csv(tmp_path / "out.csv")
    assert (count, len(table)) == (10, 10)
    np.testing.assert_allclose(table.prediction[:5], model.predict(line_samples(5).x))
    assert [Path(file).name for file in table.file.unique()] == ["1.csv", "2.csv"]
    (line,) = lines
    assert line.startswith(f"left out: {data}/2.csv: row 6 below the header: 'much' in column 'b'")


def test_a_row_that_cannot_be_read_is_refused_and_nothing_is_written(model: Model, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match=r"^1 file\(s\) or row\(s\) of .*data cannot be read: .*2\.csv: row 6"):
        predict_files(model, data, tmp_path / "out.csv", "refuse")
    assert not (tmp_path / "out.csv").exists()


def test_the_same_files_give_the_same_bytes(model: Model, data: Path, tmp_path: Path) -> None:
    for name in ("one.parquet", "two.parquet"):
        predict_files(model, data / "1.csv", tmp_path / name, "refuse")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_path_without_samples_is_an_error(model: Model, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelyardError, match="empty has no sample to predict"):
        predict_files(model, tmp_path / "empty", tmp_path / "out.csv", "leave_out")
