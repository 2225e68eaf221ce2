"""Image files of any size and mode, converted to what a model takes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.experiments.tasks import white_level
from modelyard.serving.batch import PredictionBatch, Unreadable, open_all, stack

MODES = {1: "L", 3: "RGB"}  # Pillow's names, by the number of channels
COLOURS = {"L": "grey", "RGB": "colour"}  # in warnings
WHITE = 255
SIXTEEN_TO_EIGHT_BITS = 257  # 65535 / 255


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
    warnings: list[str] = []
    errors: list[str] = []
    for file, image in open_all(files, _open, errors):
        names.append(str(file))
        samples.append(_pixels(image, mode, description))
        sizes.append((image.height, image.width))
        changes = ", ".join(_changes(image, mode, description))
        warnings += [f"{file}: {changes}"] if changes else []
    x = stack(samples, description.shape, description.dtype)
    return PredictionBatch({"file": names}, x, tuple(warnings), tuple(errors), np.reshape(sizes, (-1, 2)))


def _open(file: Path) -> Image.Image:
    try:
        with Image.open(file) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise Unreadable(f"not an image that can be read ({error})") from None
    return _eight_bits(upright)


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
