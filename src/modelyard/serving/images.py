"""Image files of any size and mode, converted to what a model takes."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.experiments.tasks import white_level
from modelyard.serving.batch import PredictionBatch, Unreadable, open_all, shown_name, stack

MODES = {1: "L", 3: "RGB"}  # Pillow's names, by the number of channels
COLOURS = {"L": "grey", "RGB": "colour"}  # in warnings
WHITE = 255
SIXTEEN_TO_EIGHT_BITS = 257  # 65535 / 255


class _ImageSample(NamedTuple):
    """The first image of a file as a sample (height, width, channels), its own size, and what a person should know."""

    pixels: np.ndarray
    size: tuple[int, int]
    remarks: list[str]


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Read image files as samples (n, height, width, channels).

    Raises:
        ModelyardError: the model takes images of neither 1 nor 3 channels.
    """
    mode = MODES.get(description.shape[-1])
    if mode is None:
        raise ModelyardError(
            f"this model takes images of {description.shape[-1]} channels; image files are read with 1 or 3 only"
        )
    names: list[str] = []
    samples: list[np.ndarray] = []
    sizes: list[tuple[int, int]] = []
    remarks: list[str] = []
    errors: list[str] = []
    for file, sample in open_all(files, lambda file: _read_one(file, mode, description), errors):
        names.append(shown_name(file))
        samples.append(sample.pixels)
        sizes.append(sample.size)
        remarks += [f"{names[-1]}: {remark}" for remark in sample.remarks]
    x = stack(samples, description.shape, description.dtype)
    return PredictionBatch({"file": names}, x, tuple(remarks), tuple(errors), np.reshape(sizes, (-1, 2)))


def _read_one(file: Path, mode: str, description: InputDescription) -> _ImageSample:
    try:
        with warnings.catch_warnings(record=True, action="always") as noticed, Image.open(file) as image:
            image.load()
            remarks = list(_frames(image))
            upright = _eight_bits(_upright(image, remarks))
            pixels = _pixels(upright, mode, description)
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except Unreadable:
        raise
    except Image.DecompressionBombError as error:
        raise Unreadable(f"its size is above the limit against decompression bombs ({error}); scale it down") from None
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads them to, struct.error for example
        raise Unreadable(f"not an image that can be read ({error})") from None
    told = (w for w in noticed if w.category is not Image.DecompressionBombWarning)  # large, and still within the limit
    remarks += dict.fromkeys(" ".join(str(warning.message).split()) for warning in told)
    changes = ", ".join(_changes(upright, mode, description))
    return _ImageSample(pixels, (upright.height, upright.width), [*remarks, *filter(None, [changes])])


def _frames(image: Image.Image) -> Iterator[str]:
    """Say it where a file has several pages or frames: only the first is read."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        yield f"only the first of its {frames} pages or frames was read"


def _upright(image: Image.Image, remarks: list[str]) -> Image.Image:
    """Apply the orientation in EXIF; without it, as stored, where that cannot be read."""
    try:
        image.getexif()  # keeps what it reads
    except Exception as error:  # see `_read_one`
        remarks.append(f"its EXIF data cannot be read ({error}); it was not turned")
        return image.copy()
    for key in ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"):
        image.info.pop(key, None)  # else Pillow writes them again without the orientation, and fails if it cannot
    return ImageOps.exif_transpose(image)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Divide 16-bit pixels, which Pillow would clip at 255."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // SIXTEEN_TO_EIGHT_BITS).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise Unreadable("its pixels have 32 bits, and the value of white is unknown; save it with 8 bits per pixel")
    return image


def _pixels(image: Image.Image, mode: str, description: InputDescription) -> np.ndarray:
    height, width, _ = description.shape
    if image.has_transparency_data:
        on_white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(on_white, image.convert("RGBA"))
    pixels = (
        np.asarray(image.convert(mode).resize((width, height)), dtype=np.float64) / WHITE * white_level(description)
    )
    whole = np.rint(pixels) if np.dtype(description.dtype).kind == "u" else pixels
    return whole.reshape(description.shape)


def _changes(image: Image.Image, mode: str, description: InputDescription) -> Iterator[str]:
    """The conversions of an image, in words."""
    height, width, _ = description.shape
    if image.size != (width, height):
        distorted = "" if image.width * height == image.height * width else ", which changes its proportions"
        yield f"size from {image.width} x {image.height} to {width} x {height}{distorted}"
    if image.has_transparency_data:
        yield "transparent pixels to white"
    if Image.getmodebase(image.mode) != mode:
        yield f"to {COLOURS[mode]}"
    if white_level(description) != WHITE:
        yield f"white from {WHITE} to {white_level(description):g}"
