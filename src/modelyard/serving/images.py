"""Images of any size and colour, brought to the shape that a model takes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.serving.batch import PredictionBatch, Unreadable, opened, stacked

MODES = {1: "L", 3: "RGB"}  # Pillow's names, by the number of channels
COLOURS = {"L": "grey", "RGB": "colour"}
WHITE = 255
SIXTEEN_BITS = 257  # of each eighth


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Samples (n, height, width, channels) of image files; one that is no image is refused."""
    mode = MODES.get(description.shape[-1])
    if mode is None:
        raise ModelyardError(f"this model takes images of {description.shape[-1]} channels, a picture has 1 or 3")
    read, rows, sizes, changed, refused = [], [], [], [], []
    for file, image in opened(files, _open, refused):
        read.append(str(file))
        rows.append(_pixels(image, mode, description))
        sizes.append((image.height, image.width))
        changes = ", ".join(_changes(image, mode, description))
        changed += [f"{file}: {changes}"] if changes else []
    pixels = stacked(rows, description.shape, description.dtype)
    return PredictionBatch({"file": read}, pixels, tuple(changed), tuple(refused), np.reshape(sizes, (-1, 2)))


def brightest(description: InputDescription) -> float:
    """What white is among a model's raw pixels: the top of the range that its scaling takes to 1, else 255."""
    scaler = description.scaler
    if description.scaling not in ("pixels", "minmax"):
        return WHITE
    return float(np.max(np.add(scaler.offset, scaler.scale)))


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
    """Pillow cuts brighter pixels off where it should divide."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // SIXTEEN_BITS).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise Unreadable("its pixels are of 32 bits, and it does not say which of them is white; save it with 8 bits")
    return image


def _pixels(image: Image.Image, mode: str, description: InputDescription) -> np.ndarray:
    height, width, _ = description.shape
    if image.has_transparency_data:
        on_white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(on_white, image.convert("RGBA"))
    pixels = np.asarray(image.convert(mode).resize((width, height)), dtype=np.float64) / WHITE * brightest(description)
    whole = np.rint(pixels) if np.dtype(description.dtype).kind == "u" else pixels
    return whole.reshape(description.shape)


def _changes(image: Image.Image, mode: str, description: InputDescription) -> Iterator[str]:
    """What is done to an image, in words."""
    height, width, _ = description.shape
    if image.size != (width, height):
        squeezed = "" if image.width * height == image.height * width else ", its proportions with it"
        yield f"size from {image.width} x {image.height} to {width} x {height}{squeezed}"
    if image.has_transparency_data:
        yield "what is transparent to white"
    if Image.getmodebase(image.mode) != mode:
        yield f"to {COLOURS[mode]}"
    if brightest(description) != WHITE:
        yield f"white from {WHITE} to {brightest(description):g}"
