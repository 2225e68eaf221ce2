"""An input on disk: what is divided, what the scaling was fitted on, and what comes back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inputs import describe

from modelyard.core.errors import ModelyardError
from modelyard.data import inputs
from modelyard.data.inputs import InputSettings
from modelyard.data.readers import RawData
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler, fit

SPLIT = {"test": 0.2, "test_seed": 777, "validation": 0.25}


def _settings(scaling: str, **split: object) -> InputSettings:
    return InputSettings(dataset="made_up", split=split or SPLIT, scaling=scaling)


def _table(seed: int = 0) -> RawData:
    """50 samples of 3 features; with SPLIT 30 for training, 10 for validation, 10 for the test."""
    random = np.random.default_rng(seed)
    return RawData(Samples(random.normal(size=(50, 3)), np.arange(50.0)), features=("a", "b", "c"))


def _images() -> RawData:
    random = np.random.default_rng(0)
    train = Samples(random.integers(0, 256, (20, 4, 4, 1), dtype=np.uint8), np.arange(20, dtype=np.uint8) % 2)
    test = Samples(random.integers(0, 256, (5, 4, 4, 1), dtype=np.uint8), np.zeros(5, np.uint8))
    return RawData(train, test=test, classes=("even", "odd"))


@pytest.mark.parametrize("imputation", ["refuse", "median", {"area": "median"}, {"strategy": "keep"}])
def test_settings_can_be_written_and_read_again(imputation: object):
    settings = InputSettings(dataset="made_up", split=SPLIT, scaling="none", imputation=imputation)
    written = settings.model_dump(mode="json")
    assert ("imputation" in written) == (imputation != "refuse")
    assert InputSettings.model_validate(written) == settings


def test_an_input_comes_back_from_disk_as_it_was(tmp_path: Path):
    training, test = inputs.prepare(_table(), "regression", _settings("standard"))
    inputs.save_training(training, tmp_path / "training")
    inputs.save_test(test, tmp_path / "test")
    read, read_test = inputs.load_training(tmp_path / "training"), inputs.load_test(tmp_path / "test")
    assert read.description == training.description
    for written, found in ((training.samples, read.samples), (test, read_test)):
        np.testing.assert_array_equal(found.x, written.x)
        np.testing.assert_array_equal(found.y, written.y)
        assert found.x.dtype == written.x.dtype


def _people() -> RawData:
    """50 samples with a column that is no feature."""
    sex = np.where(np.arange(50) % 3, "female", "male").astype(object)
    return replace(_table(), keys={"sex": (np.arange(50) % 3 > 0).astype(np.int64)}, texts={"sex": sex})


@pytest.mark.parametrize("split", [SPLIT, {"test": 0.5, "test_seed": 3, "group": "sex"}, {"test": "training_samples"}])
def test_slices_of_test_samples_are_written_beside_them_and_leave_the_training_as_it_is(tmp_path: Path, split) -> None:
    for name, slices in (("with", ("sex",)), ("without", ())):
        settings = InputSettings(dataset="made_up", split=split, scaling="standard", slices=slices)
        inputs.write_input(_people(), "regression", settings, tmp_path / name / "training", tmp_path / name / "test")
    found = inputs.load_slices(tmp_path / "with" / "test")
    rows = inputs.load_test(tmp_path / "with" / "test").y.astype(int)
    assert found["sex"].tolist() == ["female" if row % 3 else "male" for row in rows]
    assert inputs.load_slices(tmp_path / "without" / "test") == {}
    for file in sorted(path.relative_to(tmp_path / "without") for path in (tmp_path / "without").rglob("*.*")):
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()


@pytest.mark.parametrize(
    ("raw", "said"),
    [(_people(), "no such column; did you mean sex"), (_table(), "this data set is no table")],
)
def test_slices_of_an_unknown_column_are_refused_before_anything_is_written(tmp_path: Path, raw, said: str) -> None:
    settings = InputSettings(dataset="made_up", split=SPLIT, scaling="standard", slices=("sexe",))
    with pytest.raises(ModelyardError, match=said):
        inputs.write_input(raw, "regression", settings, tmp_path / "training", tmp_path / "test")
    assert list(tmp_path.iterdir()) == []


def test_slices_need_test_samples_with_columns() -> None:
    settings = _settings("pixels", test="predefined").model_copy(update={"slices": ("sex",)})
    with pytest.raises(ModelyardError, match="test samples of its own"):
        inputs.slice_test(_images(), settings)


@given(st.integers(0, 1000))
def test_positions_lead_from_training_samples_to_the_data_set(seed: int) -> None:
    settings = _settings("none", test=0.2, test_seed=seed, validation=0.25, first=20)
    raw = _table()
    training, _ = inputs.prepare(raw, "regression", settings)
    positions = inputs.training_positions(raw, settings)
    np.testing.assert_array_equal(raw.samples.x[positions], training.samples.x)


def test_the_description_comes_back_to_the_last_bit(tmp_path: Path):
    training, _ = inputs.prepare(_table(), "regression", _settings("standard"))
    inputs.save_description(training.description, tmp_path)
    assert inputs.load_description(tmp_path).scaler.scale == training.description.scaler.scale


def test_samples_are_opened_memory_mapped_and_read_only(tmp_path: Path):
    training, test = inputs.prepare(
        _images(), "classification", _settings("pixels", test="predefined", validation=0.25)
    )
    inputs.save_training(training, tmp_path / "training")
    inputs.save_test(test, tmp_path / "test")
    opened = inputs.load_training(tmp_path / "training")
    for samples in (opened.samples, opened.training, opened.validation, inputs.load_test(tmp_path / "test")):
        assert isinstance(samples.x, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            samples.x[0] = 0


def test_images_stay_bytes_and_raw_on_disk(tmp_path: Path):
    training, test = inputs.prepare(_images(), "classification", _settings("standard", test="predefined"))
    assert training.samples.x.dtype == test.x.dtype == np.uint8
    np.testing.assert_array_equal(training.samples.x, _images().samples.x)
    inputs.save_training(training, tmp_path / "training")
    assert (tmp_path / "training" / "x.npy").stat().st_size < 20 * 16 + 200
    assert training.description.dtype == "uint8"


@given(st.integers(0, 99), st.sampled_from(["minmax", "standard", "minmax_per_split"]))
def test_no_change_to_validation_or_test_samples_changes_the_scaling(seed: int, scaling: str):
    before, _ = inputs.prepare(_table(), "regression", _settings(scaling))
    kept = set(before.training.y.astype(int))  # a row's target is its number
    changed = _table().samples.x.copy()
    others = [row for row in range(50) if row not in kept]
    changed[others] = 1000 * np.random.default_rng(seed).normal(size=(len(others), 3))
    after, _ = inputs.prepare(RawData(Samples(changed, np.arange(50.0))), "regression", _settings(scaling))
    assert after.description.scaler == before.description.scaler


@pytest.mark.parametrize("scaling", ["none", "pixels", "minmax", "standard", "minmax_per_split"])
def test_the_scaling_is_fitted_on_the_training_samples(scaling: str):
    training, _ = inputs.prepare(_table(), "regression", _settings(scaling))
    assert training.description.scaler == fit(scaling, training.training.x)
    assert training.description.scaling == scaling


@pytest.mark.parametrize("method", ["standard", "log"])
def test_the_target_scaling_is_fitted_on_the_training_samples_and_comes_back_from_disk(method: str, tmp_path: Path):
    settings = _settings("standard").model_copy(update={"target_scaling": method})
    training, test = inputs.prepare(_table(), "regression", settings)
    scaled = training.description.target_scaler.transform(training.training.y)
    np.testing.assert_allclose((scaled.mean(), scaled.std()), (0, 1), atol=1e-12)
    assert sorted([*training.samples.y, *test.y]) == list(range(50))  # in their own unit
    inputs.save_training(training, tmp_path / "training")
    assert inputs.load_training(tmp_path / "training").description == training.description


def test_a_target_that_is_not_scaled_leaves_no_trace_on_disk_or_in_the_settings(tmp_path: Path):
    training, _ = inputs.prepare(_table(), "regression", _settings("standard"))
    inputs.save_training(training, tmp_path / "training")
    assert "target_scal" not in (tmp_path / "training" / "input.json").read_text()
    assert _settings("standard").model_dump().keys() == {"dataset", "split", "scaling"}


def test_the_leak_moves_the_test_samples_and_nothing_else():
    honest, honest_test = inputs.prepare(_table(), "regression", _settings("minmax"))
    leaky, untouched = inputs.prepare(_table(), "regression", _settings("minmax_per_split"))
    leaky_test = inputs.evaluation_samples(untouched, leaky.description)
    np.testing.assert_array_equal(leaky.samples.x, honest.samples.x)
    np.testing.assert_array_equal(leaky.samples.y, honest.samples.y)
    np.testing.assert_array_equal(leaky_test.y, honest_test.y)
    np.testing.assert_array_equal(untouched.x, honest_test.x)  # what the data card describes
    np.testing.assert_array_equal(inputs.evaluation_samples(honest_test, honest.description).x, honest_test.x)
    assert leaky.description.scaler == honest.description.scaler
    scaled = leaky.description.scaler.transform(leaky_test.x)
    np.testing.assert_allclose((scaled.min(axis=0), scaled.max(axis=0)), ([0] * 3, [1] * 3), atol=1e-12)
    assert not np.allclose(leaky_test.x, honest_test.x)


def test_a_written_input_has_the_leak_in_its_test_folder_and_returns_the_samples_without_it(tmp_path: Path):
    settings = _settings("minmax_per_split")
    training, test = inputs.write_input(_table(), "regression", settings, tmp_path / "training", tmp_path / "test")
    expected, honest_test = inputs.prepare(_table(), "regression", settings)
    assert training.description == expected.description == inputs.load_description(tmp_path / "training")
    np.testing.assert_array_equal(inputs.load_training(tmp_path / "training").samples.x, expected.samples.x)
    np.testing.assert_array_equal(test.x, honest_test.x)
    leaked = inputs.evaluation_samples(honest_test, expected.description)
    np.testing.assert_array_equal(inputs.load_test(tmp_path / "test").x, leaked.x)


def test_each_sample_keeps_its_target_and_stands_in_one_part():
    training, test = inputs.prepare(_table(), "regression", _settings("none"))
    parts = (training.training, training.validation, test)
    assert [len(part) for part in parts] == [30, 10, 10]
    assert sorted(np.concatenate([part.y for part in parts])) == list(range(50))
    for part in parts:
        np.testing.assert_array_equal(part.x, _table().samples.x[part.y.astype(int)])


def test_test_samples_of_the_data_set_are_used_unchanged():
    training, test = inputs.prepare(
        _images(), "classification", _settings("pixels", test="predefined", validation=0.25)
    )
    assert test is not None
    np.testing.assert_array_equal(test.x, _images().test.x)
    assert (len(training.training), len(training.validation)) == (15, 5)


def test_training_samples_may_be_the_test_samples_too():
    training, test = inputs.prepare(_table(), "regression", _settings("none", test="training_samples"))
    np.testing.assert_array_equal(test.x, training.samples.x)
    assert len(training.validation) == 0


@given(st.integers(2, 40), st.booleans())
def test_scaling_and_validation_use_only_the_first_samples(first: int, shuffled: bool):
    drawn = {"validation_samples": "shuffled", "validation_seed": 3} if shuffled else {}
    split = {"test": 0.2, "test_seed": 777, "validation": 0.5} | drawn
    everything, test = inputs.prepare(_table(), "regression", _settings("standard", test=0.2, test_seed=777))
    training, same_test = inputs.prepare(_table(), "regression", _settings("standard", first=first, **split))
    np.testing.assert_array_equal(same_test.y, test.y)
    assert sorted(training.samples.y) == sorted(everything.samples.y[:first])
    assert (len(training.training), len(training.validation)) == (first // 2, first - first // 2)
    assert training.description.scaler == fit("standard", training.training.x)


def test_a_first_larger_than_the_number_of_samples_is_refused():
    with pytest.raises(ModelyardError, match=r"`first: 41` of 40 training samples: give at most 40"):
        inputs.prepare(_table(), "regression", _settings("none", test=0.2, test_seed=777, first=41))


def test_words_are_kept_in_the_description(tmp_path: Path, word_input: inputs.TrainingInput):
    raw = RawData(word_input.samples, classes=("without", "with"), words=word_input.description.words)
    training, _ = inputs.prepare(raw, "classification", _settings("none", test=0.2, test_seed=1))
    inputs.save_training(training, tmp_path / "training")
    read = inputs.load_training(tmp_path / "training")
    assert read.description.words == word_input.description.words
    assert (read.samples.x.dtype, read.description.network_dtype) == (np.uint16, "uint16")


@pytest.mark.parametrize(
    ("dtype", "of_network"), [("uint8", "uint8"), ("uint16", "uint16"), ("int64", "float32"), ("float64", "float32")]
)
def test_pixels_and_word_numbers_reach_a_network_as_they_are_and_all_else_as_float32(dtype: str, of_network: str):
    samples = Samples(np.arange(40).reshape(20, 2).astype(dtype), np.arange(20.0))
    training, _ = inputs.prepare(RawData(samples), "regression", _settings("none", test=0.2, test_seed=1))
    assert training.description.network_dtype == of_network


def test_boxes_are_divided_with_their_images(tmp_path: Path, box_input: inputs.TrainingInput):
    raw = RawData(box_input.samples, classes=("dark", "bright"))
    training, test = inputs.prepare(raw, "detection", _settings("pixels", test=0.25, test_seed=1))
    inputs.save_training(training, tmp_path / "training")
    for samples in (inputs.load_training(tmp_path / "training").samples, test):
        assert samples.y.shape == (len(samples), 2, 5)
        for image, (label, left, top, right, bottom) in zip(samples.x, samples.y[:, 0], strict=True):
            square = image[int(top) : int(bottom), int(left) : int(right)]
            assert (square == 255 * label).all()


def test_given_test_samples_are_refused_where_the_data_set_has_none():
    with pytest.raises(ModelyardError, match=r"made_up has no test samples .*split\.test"):
        inputs.prepare(_table(), "regression", _settings("none", test="predefined"))


def test_a_description_has_all_that_a_model_must_know():
    training, _ = inputs.prepare(_images(), "classification", _settings("pixels", test="predefined", validation=0.25))
    described = training.description
    assert (described.dataset, described.task, described.shape) == ("made_up", "classification", (4, 4, 1))
    assert (described.classes, described.features) == (("even", "odd"), ())
    assert (described.training_samples, described.validation_samples) == (15, 5)


def test_a_description_of_another_version_is_refused_with_what_to_do(tmp_path: Path):
    training, _ = inputs.prepare(_images(), "classification", _settings("pixels", test="predefined", validation=0.25))
    inputs.save_training(training, tmp_path / "training")
    path = tmp_path / "training" / "input.json"
    path.write_text(path.read_text().replace("training_samples", "training_rows"))
    with pytest.raises(
        ModelyardError, match=r"input\.json was written by another version of Modelyard: build it again"
    ):
        inputs.load_training(tmp_path / "training")


# --- split by class, group or time ---


def _keyed(test: bool = False) -> RawData:
    """50 samples of 10 people, in no order of time; `test` adds test samples of the data set's own."""
    random = np.random.default_rng(0)
    keys, texts = {"day": random.permutation(50).astype(float)}, {"who": (np.arange(50) % 10).astype(str)}
    raw = RawData(_table().samples, features=("a", "b", "c"), keys=keys, texts=texts)
    return replace(raw, test=_table(1).samples) if test else raw


def test_an_input_split_by_group_keeps_the_group_of_each_sample_on_disk(tmp_path: Path):
    settings = _settings("standard", test=0.2, test_seed=3, validation=0.25, group="who")
    training, test = inputs.write_input(_keyed(), "regression", settings, tmp_path / "training", tmp_path / "test")
    read = inputs.load_training(tmp_path / "training")
    assert read.description == training.description
    assert read.description.split_by == "group"
    who = read.samples.y.astype(int) % 10  # a sample's target is its number
    np.testing.assert_array_equal(read.groups, who)
    count = read.description.training_samples
    assert not set(who[:count]) & set(who[count:])
    assert not set(who) & set(test.y.astype(int) % 10)


def test_an_input_split_in_time_is_sorted_by_it(tmp_path: Path):
    settings = _settings("none", test=0.2, validation=0.25, time="day")
    training, test = inputs.prepare(_keyed(), "regression", settings)
    day = _keyed().keys["day"]
    assert day[np.concatenate([training.samples.y, test.y]).astype(int)].tolist() == list(range(50))
    assert (training.description.split_by, training.groups) == ("time", None)
    inputs.save_training(training, tmp_path / "training")
    assert not (tmp_path / "training" / "groups.npy").exists()


def test_of_a_data_set_with_test_samples_only_the_validation_samples_are_divided():
    raw, day = _keyed(test=True), _keyed().keys["day"]
    training, test = inputs.prepare(raw, "regression", _settings("none", test="predefined", validation=0.2, time="day"))
    assert day[training.samples.y.astype(int)].tolist() == list(range(50))
    np.testing.assert_array_equal(test.x, raw.test.x)
    drawn = {"validation": 0.2, "validation_samples": "shuffled", "validation_seed": 1}
    training, test = inputs.prepare(raw, "regression", _settings("none", test="predefined", group="who", **drawn))
    who = training.groups
    assert len(training.validation) == 10
    assert not set(who[:40]) & set(who[40:])
    np.testing.assert_array_equal(test.x, raw.test.x)


def test_the_first_samples_of_an_input_in_time_are_the_earliest():
    split = {"test": 0.2, "validation": 0.5, "time": "day", "first": 10}
    training, _ = inputs.prepare(_keyed(), "regression", _settings("none", **split))
    assert _keyed().keys["day"][training.samples.y.astype(int)].tolist() == list(range(10))


def test_a_stratified_input_has_the_classes_shares_in_each_part():
    random = np.random.default_rng(0)
    y = (random.permutation(100) < 20).astype(np.int64)
    raw = RawData(Samples(np.zeros((100, 2)), y), classes=("no", "yes"))
    split = {"test": 0.2, "test_seed": 1, "validation": 0.25, "stratify": True}
    training, test = inputs.prepare(raw, "classification", _settings("none", **split))
    parts = (training.training, training.validation, test)
    assert [np.bincount(part.y).tolist() for part in parts] == [[48, 12], [16, 4], [16, 4]]
    with pytest.raises(ModelyardError, match="`stratify` is for classifications"):
        inputs.prepare(raw, "regression", _settings("none", **split))


def test_other_inputs_are_described_as_ever(tmp_path: Path):
    training, _ = inputs.prepare(_keyed(), "regression", _settings("none"))
    inputs.save_training(training, tmp_path / "training")
    assert {file.name for file in (tmp_path / "training").iterdir()} == {"x.npy", "y.npy", "input.json"}
    assert "split_by" not in (tmp_path / "training" / "input.json").read_text()


@pytest.mark.parametrize(
    ("scaling", "scaler", "white"),
    [
        ("pixels", Scaler(scale=(255.0,)), 255),
        ("minmax", Scaler(scale=(16.0,)), 16),
        ("minmax", Scaler(offset=(1.0, 2.0), scale=(14.0, 15.0)), 17),
        ("standard", Scaler(offset=(3.0,), scale=(2.0,)), 255),
        ("none", Scaler(), 255),
    ],
)
def test_white_is_the_top_of_the_range_that_scaling_maps_to_1(scaling: str, scaler: Scaler, white: float) -> None:
    assert describe(_images().samples, scaling=scaling, scaler=scaler).white_level == white
