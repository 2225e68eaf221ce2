"""Image files: every conversion to what a model takes, and files that cannot be read."""

import os
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image
from support.training_inputs import image_input

from modelyard.data.inputs import InputDescription
from modelyard.data.readers import image_file
from modelyard.data.readers.image_file import DecodedImage, ImageFormat, decode
from modelyard.data.scaling import Scaler
from modelyard.serving import images
from modelyard.serving.batch import PredictionBatch

GREY = image_input().description


def read_image(
    image: Image.Image, tmp_path: Path, description: InputDescription = GREY, ending: str = "png"
) -> PredictionBatch:
    image.save(tmp_path / f"image.{ending}")
    return images.read([tmp_path / f"image.{ending}"], description)


def test_an_image_of_the_right_shape_is_read_unchanged_without_warnings(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    batch = read_image(Image.fromarray(pixels), tmp_path)
    np.testing.assert_array_equal(batch.x[0, :, :, 0], pixels)
    assert (batch.warnings, batch.errors, batch.x.dtype) == ((), (), np.uint8)


@pytest.mark.parametrize(
    "mode, size, warning",
    [
        ("RGB", (8, 8), "to grey"),
        ("L", (32, 32), "size from 32 x 32 to 8 x 8"),
        ("RGB", (20, 10), "size from 20 x 10 to 8 x 8, which changes its proportions, to grey"),
        ("CMYK", (8, 8), "to grey"),
        ("1", (8, 8), ""),
        ("I;16", (8, 8), ""),
    ],
)
def test_a_conversion_of_an_image_is_a_warning_and_white_stays_white(
    mode: str, size: tuple[int, int], warning: str, tmp_path: Path
) -> None:
    white = {"RGB": (255,) * 3, "L": 255, "CMYK": (0,) * 4, "1": 1, "I;16": 65535}[mode]
    batch = read_image(Image.new(mode, size, white), tmp_path, ending="tif")
    assert batch.warnings == ((f"{tmp_path}/image.tif: {warning}",) if warning else ())
    assert batch.x.min() == 255


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    batch = read_image(image, tmp_path)
    np.testing.assert_array_equal(batch.x[0, 0, :, 0], [0, 0, 0, 0, 255, 255, 255, 255])
    assert "transparent pixels to white" in batch.warnings[0]


def test_white_is_scaled_to_the_range_of_the_training_images(tmp_path: Path) -> None:
    of_16 = image_input(top=16)
    pixels = of_16.samples.x[0, :, :, 0]
    batch = read_image(Image.fromarray(np.rint(pixels / 16 * 255).astype(np.uint8)), tmp_path, of_16.description)
    np.testing.assert_array_equal(batch.x[0, :, :, 0], pixels)
    assert "white from 255 to 16" in batch.warnings[0]


def test_a_grey_image_is_converted_for_a_model_of_colour_images(tmp_path: Path) -> None:
    batch = read_image(Image.new("L", (8, 8), 7), tmp_path, image_input(channels=3).description)
    np.testing.assert_array_equal(batch.x, np.full((1, 8, 8, 3), 7))
    assert batch.warnings == (f"{tmp_path}/image.png: to colour",)


def test_the_orientation_in_exif_is_applied(tmp_path: Path) -> None:
    image = Image.new("L", (8, 8))
    image.paste(255, (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    image.save(tmp_path / "image.png", exif=exif)
    batch = images.read([tmp_path / "image.png"], GREY)
    assert (batch.x[0, :, 4:] == 255).all() and (batch.x[0, :, :4] == 0).all()


def test_an_exif_number_out_of_range_does_not_hinder_the_turning_of_a_photo(tmp_path: Path) -> None:
    upright = Image.new("L", (8, 8))
    upright.paste(255, (0, 0, 8, 4))
    orientation = struct.pack("<HHII", 0x0112, 3, 1, 6)
    resolution = struct.pack("<HHII", 0x011A, 10, 1, 38)  # a signed fraction, stored after the entries
    directory = struct.pack("<2sHIH", b"II", 42, 8, 2) + orientation + resolution + struct.pack("<I", 0)
    exif = b"Exif\0\0" + directory + struct.pack("<ii", -1, 0)
    upright.save(tmp_path / "image.jpg", exif=exif, quality=100)
    batch = images.read([tmp_path / "image.jpg"], GREY)
    assert batch.errors == ()
    assert (batch.x[0, :, 4:] > 250).all() and (batch.x[0, :, :4] < 5).all()


def test_unreadable_exif_data_are_a_warning_and_the_photo_is_read_as_stored(tmp_path: Path, monkeypatch) -> None:
    def fail(_: Image.Image) -> None:
        raise struct.error("argument out of range")

    monkeypatch.setattr(Image.Image, "getexif", fail)
    batch = read_image(Image.new("L", (8, 8), 9), tmp_path)
    assert (batch.x == 9).all()
    assert "its EXIF data cannot be read (argument out of range); it was not turned" in batch.warnings[0]


@pytest.mark.parametrize("ending", ["tif", "gif"])
def test_of_several_pages_or_frames_the_first_is_read_with_a_warning(ending: str, tmp_path: Path) -> None:
    first, second, third = (Image.new("L", (8, 8), value) for value in (7, 77, 177))
    first.save(tmp_path / f"image.{ending}", save_all=True, append_images=[second, third])
    batch = images.read([tmp_path / f"image.{ending}"], GREY)
    assert (batch.x == 7).all()
    assert batch.warnings[0] == f"{tmp_path}/image.{ending}: only the first of its 3 pages or frames was read"


def test_a_large_image_is_read_and_one_that_may_be_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(image_file, "MOST_PIXELS", 100)
    assert read_image(Image.new("L", (8, 8)), tmp_path).warnings == ()
    batch = read_image(Image.new("L", (20, 20)), tmp_path)
    assert "20 x 20 pixels, and at most" in batch.errors[0]


def test_an_image_whose_colours_cannot_be_converted_is_an_error(tmp_path: Path) -> None:
    batch = read_image(Image.new("LAB", (8, 8)), tmp_path, ending="tif")
    assert "not an image that can be read (conversion from LAB" in batch.errors[0]


def test_a_name_with_a_line_break_or_other_bytes_than_utf_8_is_shown_in_one_line_of_text(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"a\xff\nb.png")
    Image.new("RGB", (8, 8)).save(file)
    batch = images.read([file], GREY)
    assert batch.names["file"] == [f"{tmp_path}/a\\xff\\nb.png"]
    assert batch.warnings == (f"{tmp_path}/a\\xff\\nb.png: to grey",)


def test_unreadable_images_are_errors_and_the_others_are_read(tmp_path: Path) -> None:
    Image.new("L", (300, 300), 50).save(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:100])
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "broken.tif").write_bytes(b"II*\0\x08\0\0\0\x01\0\0\x01")
    Image.new("F", (8, 8), 0.5).save(tmp_path / "float.tif")
    names = ["text.png", "good.png", "empty.png", "cut.png", "folder.png", "broken.tif", "float.tif", "absent.png"]
    batch = images.read([tmp_path / name for name in names], GREY)
    assert batch.names == {"file": [str(tmp_path / "good.png")]}
    assert len(batch) == 1
    assert [text.split(": ")[0].rpartition("/")[2] for text in batch.errors] == [n for n in names if n != "good.png"]
    assert batch.errors[-1].endswith("absent.png: no such file")
    assert "32 bits" in batch.errors[-2]
    assert "a folder; name the files in it, such as" in batch.errors[3]


def test_a_model_of_image_files_gets_the_pixels_that_its_reader_made_without_warnings(tmp_path: Path) -> None:
    image_format = ImageFormat(size=(8, 8), colour="grey", fit="crop")
    description = GREY.model_copy(update={"image_format": image_format})
    photo = np.random.default_rng(0).integers(0, 256, (90, 60, 4), dtype=np.uint8)
    batch = read_image(Image.fromarray(photo), tmp_path, description)
    np.testing.assert_array_equal(batch.x[0], decode(tmp_path / "image.png", image_format).pixels)
    assert batch.warnings == ()
    assert (batch.x != read_image(Image.fromarray(photo), tmp_path).x).any()  # stretched
    minmax = description.model_copy(update={"scaling": "minmax", "scaler": Scaler(offset=(0.0,), scale=(100.0,))})
    np.testing.assert_array_equal(read_image(Image.fromarray(photo), tmp_path, minmax).x, batch.x)


def test_a_warning_stays_with_its_image_while_others_are_decoded(monkeypatch) -> None:
    both_decode = Barrier(2, timeout=60)

    def warn(file: BytesIO, image_format: ImageFormat) -> DecodedImage:
        both_decode.wait()
        warnings.warn(f"{len(file.getvalue())} bytes\nare few", stacklevel=1)
        both_decode.wait()
        return DecodedImage(np.zeros((8, 8, 1), np.uint8), (8, 8), "L", False, ())

    monkeypatch.setattr(images, "decode", warn)
    before = warnings.filters, warnings.showwarning
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda size: images.read_one(BytesIO(b"x" * size), images.format_of(GREY), GREY).remarks, (1, 2)
        )
    assert (first, second) == (["1 bytes are few"], ["2 bytes are few"])
    assert (warnings.filters, warnings.showwarning) == before
