"""What every data set entry says is checked against its raw data before a model sees it."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.readers import DatasetSettings, RawData, boston, flattened_images, table
from modelyard.data.samples import Samples
from modelyard.data.sources import Source

FOLDER = Path("data/raw/made_up")
RAW = RawData(
    Samples(np.array([[1.0, 2.0], [3.0, 9.0]]), np.array([0, 1])),
    test=Samples(np.array([[-4.0, 5.0]]), np.array([1])),
    classes=("no", "yes"),
)
HOLDS = {"rows": 3, "shape": (2,), "range": (-4, 9), "target_range": (0, 1)}


def _entry(task: str = "classification", **expect: object) -> DatasetSettings:
    return DatasetSettings(reader="x", task=task, description="Made up.", files={}, expect=expect)


@pytest.mark.parametrize("expect", [{}, HOLDS, {"range": (-100, 100)}])
def test_data_that_meets_the_expectations_passes(expect: dict):
    _entry(**expect).check(RAW, FOLDER)


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        ({"rows": 2}, "expect.rows: 2 expected, 3 found"),
        ({"shape": (3,)}, "expect.shape: (3,) expected, (2,) found"),
        ({"range": (0.0, 9.0)}, "expect.range: (0.0, 9.0) expected, -4 to 9 found"),
        ({"range": (-4.0, 8.5)}, "expect.range: (-4.0, 8.5) expected, -4 to 9 found"),
        ({"target_range": (0.0, 0.5)}, "expect.target_range: (0.0, 0.5) expected, 0 to 1 found"),
    ],
)
def test_an_expectation_that_is_not_met_is_reported_with_the_actual_value(expect: dict, expected: str):
    with pytest.raises(ModelyardError) as raised:
        _entry(**(HOLDS | expect)).check(RAW, FOLDER)
    assert str(raised.value).splitlines() == [f"{FOLDER} does not hold what params.yaml expects:", f"  {expected}"]


def test_the_user_s_own_files_are_named_before_their_copies():
    entry = _entry(rows=2).model_copy(update={"files": {"a.csv": Source(path="mine.csv", sha256="0" * 64)}})
    with pytest.raises(ModelyardError, match=rf"^mine\.csv \(copied to {FOLDER}\) does not hold what"):
        entry.check(RAW, FOLDER)


def test_two_files_that_would_be_stored_under_one_name_are_refused():
    files = {
        "a.gz": Source(url="http://here/a.gz", decompressed="0" * 64),
        "a": Source(url="http://here/a", sha256="0" * 64),
    }
    with pytest.raises(ValidationError, match=r"files a\.gz and a would both be written as a: rename one"):
        DatasetSettings(reader="table", task="regression", description="Made up.", folder="made-up", files=files)


def test_all_expectations_that_are_not_met_are_reported_at_once():
    with pytest.raises(ModelyardError) as raised:
        _entry(rows=1, shape=(9,), range=(0, 1), target_range=(5, 6)).check(RAW, FOLDER)
    assert len(str(raised.value).splitlines()) == 5


def test_a_class_without_a_name_is_refused():
    raw = RawData(Samples(np.zeros((3, 1)), np.array([0, 1, 2])), classes=("no", "yes"))
    with pytest.raises(ModelyardError, match="classes: 2 are named, class 2 found"):
        _entry().check(raw, FOLDER)


def test_a_regression_needs_no_classes():
    _entry("regression").check(RawData(Samples(np.zeros((2, 1)), np.array([5.0, 7.0]))), FOLDER)


def test_a_number_that_is_missing_is_refused_even_without_a_range():
    raw = RawData(Samples(np.array([[1.0], [np.nan]]), np.array([0, 1])), classes=("no", "yes"))
    with pytest.raises(ModelyardError, match=r"1 value.* missing or infinite"):
        _entry().check(raw, FOLDER)


def test_read_uses_the_reader_of_the_settings_and_checks_the_result(tmp_path: Path):
    (tmp_path / "a.csv").write_text("a,y\n1,2\n3,4\n")
    common = {"reader": "table", "task": "regression", "description": "Made up.", "target": "y"}
    files = {"a.csv": Source(text="")}
    assert len(readers.read(table.TableDataset(**common, files=files, expect={"rows": 2}), tmp_path).samples) == 2
    with pytest.raises(ModelyardError, match=r"expect\.rows: 3 expected, 2 found"):
        readers.read(table.TableDataset(**common, files=files, expect={"rows": 3}), tmp_path)


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"]])
@pytest.mark.parametrize(
    ("reader", "kind", "more"),
    [
        ("boston", boston.BostonDataset, {}),
        ("flattened_images", flattened_images.FlattenedImagesDataset, {"image_shape": (2, 2)}),
        ("table", table.TableDataset, {"target": "y"}),
    ],
)
def test_a_reader_of_one_csv_file_refuses_none_and_several(
    names: list[str], reader: str, kind: type[DatasetSettings], more: dict
):
    files = {name: Source(text="") for name in names}
    with pytest.raises(ValidationError, match=f"reader {reader} reads one file; {len(names)} files are given"):
        kind(reader=reader, task="regression", description="Made up.", files=files, **more)
