"""Folders of images: classes and parts by their names, samples in the order of their paths, and what is refused."""

import dataclasses
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.images import make_folder

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.inputs import InputSettings, load_description, load_test, load_training, prepare, write_input
from modelyard.data.readers import RawData
from modelyard.data.readers.images import ImagesDataset, find_folders
from modelyard.data.samples import Samples, write_rows
from modelyard.data.trees import pack
from modelyard.experiments import data_card

Read = Callable[..., RawData]


def dataset(name: str = "photos.tar", **changes: object) -> ImagesDataset:
    files = {name: {"path": name.removesuffix(".tar"), "sha256": "0" * 64}}
    given_ = {"reader": "images", "task": "classification", "description": "", "files": files}
    return ImagesDataset.model_validate(given_ | {"size": (8, 8), "colour": "grey"} | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "photos")


@pytest.fixture
def read(folder: Path, tmp_path: Path) -> Read:
    """Reads the folder from the archive that fetch makes of it."""

    def read(**changes: object) -> RawData:
        raw = tmp_path / "raw"
        raw.mkdir(exist_ok=True)
        pack(folder, raw / "photos.tar")
        return readers.read(dataset(**changes), raw)

    return read


def test_the_samples_stand_in_the_order_of_the_paths_with_the_classes_in_the_order_of_their_names(read: Read) -> None:
    raw = read(expect={"rows": 8, "shape": (8, 8, 1), "range": (0, 255)})
    assert raw.classes == ("bright", "dark")
    assert raw.samples.y.tolist() == [0] * 4 + [1] * 4
    assert raw.samples.x.dtype == np.uint8
    assert raw.samples.x[:, 0, 0, 0].tolist() == [0, 1, 2, 3] * 2
    assert raw.samples.x[:, 5, 5, 0].tolist() == [200] * 4 + [50] * 4
    assert (raw.test, raw.left_out) == (None, ())


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_an_archive_with_a_folder_around_the_classes_gives_the_same_samples(
    kind: str, read: Read, folder: Path, tmp_path: Path
) -> None:
    expected = read()
    name = Path(shutil.make_archive(str(tmp_path / "photos"), kind, tmp_path, "photos")).name
    (tmp_path / "other").mkdir()
    (tmp_path / name).rename(tmp_path / "other" / name)
    found = readers.read(dataset(name), tmp_path / "other")
    assert found.classes == expected.classes
    np.testing.assert_array_equal(found.samples.x, expected.samples.x)
    np.testing.assert_array_equal(found.samples.y, expected.samples.y)


def test_train_and_test_are_parts(read: Read, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "all")
    make_folder(folder / "Train", 5)
    make_folder(folder / "test", 2)
    raw = read()
    assert raw.test is not None
    assert (len(raw.samples), len(raw.test)) == (10, 4)
    assert raw.test.y.tolist() == [0, 0, 1, 1]
    assert raw.test.x[:, 5, 5, 0].tolist() == [200, 200, 50, 50]


def test_classes_of_the_settings_have_their_order(read: Read) -> None:
    raw = read(classes=("dark", "bright"))
    assert raw.classes == ("dark", "bright")
    assert raw.samples.y.tolist() == [1] * 4 + [0] * 4


def test_files_of_other_sizes_kinds_and_colours_become_samples_of_one_shape(read: Read, folder: Path) -> None:
    Image.new("RGB", (33, 21), (255, 0, 0)).save(folder / "bright/z.jpg")
    Image.new("CMYK", (5, 90)).save(folder / "dark/z.TIF", "tiff")
    raw = read(colour="rgb", fit="crop", size=(6, 4))
    assert raw.samples.x.shape == (10, 6, 4, 3)
    assert raw.image_sizes is not None
    assert raw.image_sizes.outside((21, 33)) == raw.image_sizes.outside((90, 5)) == {}
    assert raw.image_sizes.outside((91, 34)) == {"height": (91, (8, 90)), "width": (34, (5, 33))}
    assert np.abs(raw.samples.x[4].reshape(-1, 3).astype(int) - [255, 0, 0]).max() < 6


# --- broken files ---


@pytest.fixture
def broken(folder: Path) -> Path:
    """The folder with files that are no images, in and beside the folders of the classes."""
    (folder / "bright/001.png").write_bytes((folder / "bright/001.png").read_bytes()[:50])
    (folder / "dark/notes.txt").write_text("no image")
    (folder / "labels.csv").write_text("a,b")
    (folder / "dark/Thumbs.db").write_text("litter")
    return folder


def test_broken_files_are_named_all_at_once(read: Read, broken: Path) -> None:
    with pytest.raises(ModelyardError) as raised:
        read()
    text = str(raised.value)
    assert "photos (copied to " in text and "3 file(s) cannot be used:" in text
    assert "  labels.csv: not in the folder of a class\n" in text
    assert "  bright/001.png: not an image that can be read" in text
    assert "  dark/notes.txt: not an image, or of another kind than" in text
    assert text.endswith("or write `broken: leave_out` in the data set.")


def test_broken_files_are_left_out_by_choice_and_the_others_keep_their_order(read: Read, broken: Path) -> None:
    raw = read(broken="leave_out")
    assert [each.partition(":")[0] for each in raw.left_out] == ["labels.csv", "bright/001.png", "dark/notes.txt"]
    assert raw.samples.x[:, 0, 0, 0].tolist() == [0, 2, 3, 0, 1, 2, 3]
    assert raw.samples.y.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_names_that_are_not_utf_8_can_be_written_and_classes_of_such_names_are_refused(
    read: Read, folder: Path
) -> None:
    (folder / "dark" / os.fsdecode(b"\xff.png")).write_bytes(b"")
    assert [each.partition(":")[0] for each in read(broken="leave_out").left_out] == ["dark/\\xff.png"]
    (folder / "dark").rename(folder / os.fsdecode(b"d\xff"))
    with pytest.raises(ModelyardError, match=r"the name of the folder d\\xff is not UTF-8: rename it"):
        read()


def test_a_class_of_broken_files_is_refused_though_they_are_left_out(read: Read, folder: Path) -> None:
    for file in (folder / "dark").iterdir():
        file.write_text("no image")
    with pytest.raises(ModelyardError, match="class 'dark' has no image to train on"):
        read(broken="leave_out")


def test_test_images_none_of_which_can_be_read_are_refused_also_where_broken_ones_are_left_out(
    read: Read, folder: Path
) -> None:
    shutil.copytree(folder, folder / "train")
    for name in ("bright", "dark"):
        shutil.rmtree(folder / name)
        (folder / "test" / name).mkdir(parents=True)
        (folder / "test" / name / "a.png").write_bytes(b"no image")
    with pytest.raises(ModelyardError, match="none of the 2 images in test can be read"):
        read(broken="leave_out")


# --- folders ---


def folders_of(*names: str, classes: tuple[str, ...] = ()) -> dict[str, tuple[str, str]]:
    return dict(find_folders(names, classes, "photos").files)


def test_parts_and_classes_of_paths() -> None:
    plain = {"a/1": ("train", "a"), "b/1": ("train", "b")}
    assert folders_of("b/1", "a/1") == plain
    assert list(folders_of("b/1", "a/1", "a-b/1")) == ["a-b/1", "a/1", "b/1"]
    assert folders_of("x/y/b/1", "x/y/a/1", "x/read.me") == {f"x/y/{name}": place for name, place in plain.items()}
    assert folders_of("a/1", "b/2024/1") == {"a/1": ("train", "a"), "b/2024/1": ("train", "b")}
    parts = {"train/a/1": ("train", "a"), "train/b/1": ("train", "b"), "TEST/a/1": ("test", "a")}
    assert folders_of(*parts) == parts
    assert folders_of(*(f"x/{name}" for name in parts)) == {f"x/{name}": place for name, place in parts.items()}
    assert folders_of("train/a/1", "train/b/1") == {f"train/{name}": place for name, place in plain.items()}
    assert folders_of("train/1", "car/1") == {"train/1": ("train", "train"), "car/1": ("train", "car")}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz", min_size=1, max_size=3)), min_size=1), st.randoms())
def test_the_order_of_the_files_does_not_depend_on_the_file_system(paths: list[tuple[str, str]], random) -> None:
    names = sorted({"/".join(path) for path in paths} | {"a/0", "b/0"})
    shuffled = random.sample(names, len(names))
    assert list(folders_of(*shuffled).items()) == list(folders_of(*names).items())


@pytest.mark.parametrize(
    "names, message",
    [
        (["1.png", "2.png"], "a folder for each class, of which there is none"),
        (["cats/1.png"], "of which there is only one, 'cats'"),
        (["train/1.png", "test/1.png"], "of which there is none"),
        (["Cats/1", "cats/1"], "the folders 'Cats' and 'cats' are probably one class"),
        (["train/Cats/1", "test/cats/1", "train/a/1"], "the folders 'Cats' and 'cats' are probably one class"),
        (["train/a/1", "val/a/1", "test/a/1"], "the folders are test, train, val. Give train and test"),
        (["a/train/1", "a/test/2", "b/train/3"], "the folders test, train are inside those of the classes: put the"),
        (["train/a/1", "val/a/1"], "the folders are train, val. Give train and test"),
        (["train/a/1", "Train/a/1", "test/a/1"], "the folders are Train, test, train. Give train and test"),
    ],
)
def test_folders_that_are_not_ordered_by_class_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(ModelyardError) as raised:
        folders_of(*names)
    assert message in str(raised.value)


def test_listed_classes_may_be_nearly_equal_and_no_others_may_be_there() -> None:
    assert folders_of("Cats/1", "cats/1", classes=("Cats", "cats"))
    with pytest.raises(ModelyardError, match="folder 'cat' is not among `classes`; did you mean cats"):
        folders_of("cat/1", "dogs/1", classes=("cats", "dogs"))


def test_a_class_of_one_image_is_refused_unless_the_classes_are_listed(read: Read, folder: Path) -> None:
    (folder / "rare").mkdir()
    Image.new("L", (8, 8)).save(folder / "rare/1.png")
    with pytest.raises(ModelyardError, match=r"class 'rare' has one image only.*or list all classes under `classes`"):
        read()
    assert len(read(classes=("bright", "dark", "rare")).samples) == 9


def test_a_class_without_a_training_image_is_refused(read: Read, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "all")
    make_folder(folder / "train")
    make_folder(folder / "test")
    (folder / "test/rare").mkdir()
    Image.new("L", (8, 8)).save(folder / "test/rare/1.png")
    with pytest.raises(ModelyardError, match="class 'rare' has no image to train on"):
        read()
    with pytest.raises(ModelyardError, match="class 'other' has no image to train on"):
        read(classes=("bright", "dark", "other", "rare"))


# --- the input ---

SETTINGS = InputSettings.model_validate(
    {
        "dataset": "photos",
        "split": {"test": 0.25, "test_seed": 1, "validation": 0.25, "stratify": True},
        "scaling": "standard",
    }
)


def test_images_on_disk_give_the_input_of_images_in_memory(read: Read, folder: Path, tmp_path: Path) -> None:
    make_folder(tmp_path / "more", 20)
    for file in tmp_path.glob("more/*/*"):
        file.rename(folder / file.parent.name / f"more{file.name}")
    raw = read()
    assert isinstance(raw.samples.x, np.memmap)
    in_memory = dataclasses.replace(raw, samples=Samples(np.array(raw.samples.x), raw.samples.y))
    training, test = prepare(in_memory, "classification", SETTINGS)
    write_input(raw, "classification", SETTINGS, tmp_path / "training", tmp_path / "test")
    written = load_training(tmp_path / "training")
    assert written.description == training.description
    assert (written.samples.x.dtype, len(written.samples), len(test)) == (np.uint8, 36, 12)
    np.testing.assert_array_equal(written.samples.x, training.samples.x)
    np.testing.assert_array_equal(written.samples.y, training.samples.y)
    np.testing.assert_array_equal(load_test(tmp_path / "test").x, test.x)
    assert load_description(tmp_path / "training").image_format == dataset().image_format


def test_an_input_of_images_on_disk_takes_a_small_part_of_their_memory(tmp_path: Path) -> None:
    shape, labels = (4000, 32, 32, 3), np.arange(4000) % 2
    rows = ((position, np.full(shape[1:], position % 256, np.uint8)) for position in range(len(labels)))
    raw = RawData(Samples(write_rows(rows, shape, np.uint8, tmp_path), labels, tmp_path), classes=("a", "b"))
    settings = SETTINGS.model_copy(update={"scaling": "pixels"})
    tracemalloc.start()
    training, test = write_input(raw, "classification", settings, tmp_path / "training", tmp_path / "test")
    data_card.describe(training, test)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < raw.samples.x.nbytes / 4


def test_nothing_is_left_beside_the_raw_files(read: Read, tmp_path: Path) -> None:
    read()
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "raw"}
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {"photos.tar"}


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"size": (0, 8)}, "size"),
        ({"size": 64}, "size"),
        ({"colour": "gray"}, "colour"),
        ({"fit": "fill"}, "fit"),
        ({"broken": "skip"}, "broken"),
        ({"task": "regression"}, "task"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object], key: str) -> None:
    with pytest.raises(ValueError, match=key):
        dataset(**changes)
