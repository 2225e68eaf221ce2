"""What a folder of images holds and what looks wrong with it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import make_folder

from modelyard.core.errors import ModelyardError
from modelyard.data.image_profile import (
    ImageProfile,
    compare,
    describe_modes,
    describe_sizes,
    find_remarks,
    profile,
    suggest_colour,
    suggest_size,
)
from modelyard.data.trees import hash_files, pack, tree_checksum

RANDOM = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "photos", 12)


def noise(height: int, width: int, channels: int = 0) -> Image.Image:
    shape = (height, width, channels) if channels else (height, width)
    return Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8))


def test_classes_sizes_and_modes_are_counted_and_the_hashes_are_those_of_the_tree(folder: Path) -> None:
    noise(20, 30, 3).save(folder / "dark/z.jpg")
    found = profile(folder)
    assert found.folders.counts() == {("train", "bright"): 12, ("train", "dark"): 13}
    assert (describe_sizes(found), describe_modes(found)) == (
        "2 different ones from 8 x 8 to 20 x 30 (height x width)",
        "24 L, 1 RGB",
    )
    assert tree_checksum(found.hashes) == tree_checksum(hash_files(folder))
    assert list(find_remarks(found)) == []


def test_an_archive_has_the_profile_of_its_folder(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "a.tar")
    assert profile(tmp_path / "a.tar") == profile(folder)


def test_files_that_cannot_be_used_are_problems_and_no_facts(folder: Path) -> None:
    (folder / "read.me").write_text("text")
    (folder / "dark/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    noise(8, 8).save(folder / "beside.png")
    found = profile(folder)
    assert set(found.problems) == {"read.me", "beside.png", "dark/broken.png"}
    assert len(found.facts) == 24
    assert set(found.hashes) == set(found.facts) | set(found.problems)


def _copy_in_a_class(folder: Path) -> None:
    shutil.copy(folder / "dark/001.png", folder / "dark/copy.png")


def _copy_in_another_class(folder: Path) -> None:
    shutil.copy(folder / "dark/001.png", folder / "bright/copy.png")


def _few(folder: Path) -> None:
    for file in list((folder / "dark").iterdir())[3:]:
        file.unlink()


def _many(folder: Path) -> None:
    for number in range(200):
        Image.fromarray(np.full((8, 8), number, np.uint8)).resize((9, 9)).save(folder / f"dark/more{number}.bmp")
        noise(8, 8).save(folder / f"dark/more{number}.bmp")


def _frames(folder: Path) -> None:
    noise(8, 8).save(folder / "dark/a.gif", save_all=True, append_images=[noise(8, 8)])


def _blank(folder: Path) -> None:
    Image.new("L", (8, 8), 7).save(folder / "dark/blank.png")


def _twelve_bits(folder: Path) -> None:
    Image.fromarray(RANDOM.integers(0, 4096, (8, 8)).astype(np.uint16)).save(folder / "dark/a.png")


def _long(folder: Path) -> None:
    noise(8, 80).save(folder / "dark/long.png")


@pytest.mark.parametrize(
    "change, remark",
    [
        (_copy_in_a_class, "1 file(s) are there more than once in one class, so a copy may come into the test samples"),
        (_copy_in_another_class, "1 file(s) are there more than once in several classes, so at most one"),
        (_few, "class(es) with few images, which are hardly learnt: dark (3)"),
        (_many, "the largest class has 212 images, the smallest 12: `class_weights: balanced`"),
        (_frames, "1 image(s) have several pages or frames: only the first is read: dark/a.gif"),
        (_blank, "1 image(s) are of one colour only, so that nothing can be seen on them: dark/blank.png"),
        (_twelve_bits, "1 image(s) have 16 bits and are nearly black"),
        (_long, "1 image(s) are more than 2.5 times as long as wide"),
    ],
)
def test_what_looks_wrong_is_one_remark(change: Callable[[Path], None], remark: str, folder: Path) -> None:
    change(folder)
    (found,) = find_remarks(profile(folder))
    assert found.startswith(remark)


def test_a_copy_in_train_and_test_is_told(tmp_path: Path) -> None:
    make_folder(tmp_path / "photos/train", 12)
    make_folder(tmp_path / "photos/test", 11)
    found = profile(tmp_path / "photos")
    assert found.parts == ("train", "test")
    assert list(find_remarks(found)) == [
        "22 file(s) are there more than once in train and test, so test results say little about new images: "
        "test/bright/000.png = train/bright/000.png"
    ]


def test_a_folder_without_classes_is_refused_before_its_files_are_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("modelyard.data.image_profile.work_on", None)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/1.png").write_bytes(b"")
    with pytest.raises(ModelyardError, match="images are expected in a folder for each class"):
        profile(tmp_path / "photos")


# --- suggestions ---


def of_images(folder: Path, *images: Image.Image) -> ImageProfile:
    for number, image in enumerate(images * 2):
        label = "a" if number < len(images) else "b"
        (folder / label).mkdir(parents=True, exist_ok=True)
        image.save(folder / label / f"{number}.png")
        image.save(folder / label / f"again{number}.png")
    return profile(folder)


@pytest.mark.parametrize(
    "sizes, expected",
    [
        ([(28, 28)], (28, 28)),
        ([(40, 96)], (40, 96)),
        ([(97, 97)], (64, 64)),
        ([(30, 500), (50, 50), (90, 60)], (48, 48)),
        ([(3, 4), (4, 3)], (16, 16)),
    ],
)
def test_the_size_is_that_of_all_images_or_fits_the_shorter_side(sizes: list, expected: tuple, tmp_path: Path) -> None:
    size, reason = suggest_size(of_images(tmp_path / "photos", *(noise(*size) for size in sizes)))
    assert size == expected
    assert reason


def test_the_colour_is_grey_if_no_image_has_colours(tmp_path: Path) -> None:
    grey = noise(8, 8)
    for number, mode in enumerate(("L", "RGB", "P")):
        assert suggest_colour(of_images(tmp_path / str(number), grey.convert(mode)))[0] == "grey"
    assert suggest_colour(of_images(tmp_path / "some", grey, noise(8, 8, 3))) == (
        "rgb",
        "because 4 images have colours",
    )


def test_two_versions_are_compared_by_class_and_by_file() -> None:
    before = {"a/1": "x", "a/2": "x", "b/1": "x", "c/1": "x"}
    after = {"a/1": "x", "b/1": "y", "b/2": "x", "d/1": "x"}
    assert dict(compare(before, after)) == {
        "a": "2 images, now 1",
        "b": "1 images, now 2",
        "c": "1 images, now 0",
        "d": "new: 1 images",
        "files": "2 new, 2 gone, 1 changed",
    }


def test_versions_with_listed_classes_are_compared_though_their_names_are_alike() -> None:
    before, after = {"a/1": "x", "A/1": "y"}, {"a/1": "x", "a/2": "z", "A/1": "y"}
    assert dict(compare(before, after, ("a", "A")))["a"] == "1 images, now 2"
