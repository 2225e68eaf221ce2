"""The input contract: what is kept of training samples, and what is not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.houses import house_input
from support.inputs import describe
from support.training_inputs import image_input, tabular_input, text_input

from modelyard.core.errors import ModelyardError
from modelyard.data import contract
from modelyard.data.columns import Column
from modelyard.data.contract import Measured, Reference
from modelyard.data.samples import Samples

TOWN = Column(name="town", kind="category", categories=("Bonn", "Ulm", "Zeven"))
NUMBER = Column(name="area", kind="number")


def of(values: object, column: Column = NUMBER, takes_gaps: bool = False) -> Reference:
    return Reference.of(Measured((column,), np.array(values, dtype=float).reshape(-1, 1), (takes_gaps,)))


def test_only_the_training_samples_are_described() -> None:
    data = tabular_input()
    x = data.samples.x.copy()
    x[data.description.training_samples :] = 1e9
    found = contract.describe_training(x, data.description)
    assert found.rows == data.description.training_samples == 48
    assert [feature.high for feature in found.features] == data.training.x.max(axis=0).tolist()
    assert [feature.low for feature in found.features] == data.training.x.min(axis=0).tolist()


def test_a_category_of_fewer_than_ten_samples_is_not_named_anywhere(tmp_path: Path) -> None:
    codes = [0] * 12 + [1] * 10 + [2] * 9
    found = of(codes, TOWN)
    found.save(tmp_path)
    assert found.features[0].categories == {"Bonn": 12, "Ulm": 10}
    assert found.features[0].rarer == 9
    assert not [file for file in tmp_path.iterdir() if b"Zeven" in file.read_bytes()]
    assert np.isnan(found.values).all()


def test_a_boolean_is_a_category() -> None:
    assert of([0] * 20 + [1] * 15, Column(name="garden", kind="boolean")).features[0].categories == {
        "False": 20,
        "True": 15,
    }


def test_gaps_are_counted_where_they_are_allowed() -> None:
    assert of([1, np.nan, 3], takes_gaps=True).features[0].gaps == 1
    assert of([1, 2, 3]).features[0].gaps is None


def test_a_table_with_text_dates_and_gaps_is_described_by_feature(tmp_path: Path) -> None:
    data = house_input(tmp_path, "price")
    found = {each.name: each for each in contract.describe_training(data.samples.x, data.description).features}
    assert set(found) == set(data.description.features)
    assert set(found["town"].categories) <= {"Bonn", "Köln", "Ulm"}
    assert found["town"].gaps > 0
    assert found["sold days"].kind == "date"
    assert found["sold year"].kind == "number"
    assert (found["garden"].kind, found["garden"].gaps) == ("boolean", None)


@settings(max_examples=30)
@given(arrays(float, st.integers(1, 2500), elements=st.floats(-1e6, 1e6)))
def test_the_kept_values_are_real_ones_sorted_bounded_and_near_all_in_rank(values: np.ndarray) -> None:
    found = of(values)
    kept = found.kept(0)
    assert len(kept) == min(len(values), contract.KEPT)
    assert set(kept) <= set(values)
    assert (np.diff(kept) >= 0).all()
    assert (kept[0], kept[-1]) == (values.min(), values.max())
    at_most = np.searchsorted(np.sort(values), values, side="right") / len(values)
    kept_at_most = np.searchsorted(kept, values, side="right") / len(kept)
    assert np.abs(at_most - kept_at_most).max() <= 1.5 / contract.KEPT if len(values) > contract.KEPT else True


def test_of_a_wide_table_less_is_kept_of_each_column() -> None:
    columns = tuple(Column(name=f"pixel {number}", kind="number") for number in range(784))
    found = Reference.of(Measured(columns, np.random.default_rng(0).random((500, 784)), (False,) * 784))
    assert found.values.size <= contract.MOST_VALUES
    assert found.values.shape == (127, 784)


def test_no_row_of_the_kept_values_is_a_sample() -> None:
    x = np.random.default_rng(0).random((30, 3))
    found = contract.describe_training(x, describe(Samples(x, x[:, 0])))
    assert not {tuple(row) for row in found.values} & {tuple(row) for row in x}


def test_images_are_described_by_brightness_contrast_and_colour() -> None:
    data = image_input(channels=3)
    measured = contract.measure(data.samples.x, data.description)
    assert [column.name for column in measured.columns] == ["brightness", "contrast", "colour"]
    flat = data.samples.x.reshape(len(data.samples), -1).astype(float)
    np.testing.assert_allclose(measured.values[:, 0], flat.mean(axis=1))
    np.testing.assert_allclose(measured.values[:, 1], flat.std(axis=1))
    grey = np.repeat(data.samples.x[..., :1], 3, axis=-1)
    assert contract.measure(grey, data.description).values[:, 2].max() == 0 < measured.values[:, 2].min()


def test_the_images_of_all_chunks_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    data = image_input()
    whole = contract.measure(data.samples.x, data.description).values
    monkeypatch.setattr(contract, "CHUNK", 7)
    np.testing.assert_array_equal(contract.measure(data.samples.x, data.description).values, whole)
    assert contract.measure(data.samples.x[:0], data.description).values.shape == (0, 2)


def test_texts_are_described_by_their_length_and_unknown_words() -> None:
    data = text_input()
    x = np.array([[1, 4, 2, 6, 0, 0, 0], [1, 4, 5, 6, 7, 8, 9], [1, 0, 0, 0, 0, 0, 0]], np.uint16)
    measured = contract.measure(x, data.description)
    np.testing.assert_allclose(measured.values, [[3, 1 / 3], [6, 0], [0, 0]])


def test_a_saved_contract_is_read_back_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    found = contract.describe_training(tabular_input().samples.x, tabular_input().description)
    for name in ("one", "two"):
        found.save(tmp_path / name)
    read = Reference.load(tmp_path / "one")
    assert (read.rows, read.features) == (found.rows, found.features)
    np.testing.assert_array_equal(read.values, found.values)
    for name in (contract.FILE, contract.VALUES):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_contract_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    of([1, 2, 3]).save(tmp_path)
    (tmp_path / contract.FILE).write_text('{"rows": 3, "columns": []}')
    with pytest.raises(ModelyardError, match="another version of Modelyard: build it again with `modelyard run`"):
        Reference.load(tmp_path)
