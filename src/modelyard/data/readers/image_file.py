"""Image files of any size and mode, decoded to the pixels of a sample: by the reader, and when predicting."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelyard.core.config import Settings

if TYPE_CHECKING:
    from PIL import Image

Colour = Literal["grey", "rgb"]
Fit = Literal["letterbox", "crop", "stretch"]
Side = Annotated[int, Field(ge=1, le=4096)]

MODES: dict[Colour, Literal["L", "RGB"]] = {"grey": "L", "rgb": "RGB"}  # Pillow's names
CHANNELS: dict[Colour, int] = {"grey": 1, "rgb": 3}
KINDS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of what is read. Its other decoders are not tried: some start other programs."""
MOST_PIXELS = 100_000_000  # of an image in memory: 1.6 GB at the worst, with the copies that decoders make
LARGE = 4_000_000  # pixels from which an image is reduced first, and decoded alone
SIXTEEN_TO_EIGHT_BITS = 257  # 65535 / 255
ORIENTATION = 0x0112  # in EXIF
TURNS = dict(enumerate((0, 3, 1, 5, 4, 6, 2), start=2))  # by orientation: the number of Pillow's Transpose

_ALONE = threading.Lock()


class ImageFormat(Settings):
    """How image files become samples of one shape."""

    size: tuple[Side, Side] = Field(description="height and width in pixels")
    colour: Colour
    fit: Fit = Field(
        default="letterbox",
        description="letterbox: the whole image, with black borders; crop: its middle, which fills the sample; "
        "stretch: the whole image, with other proportions",
    )

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a sample: height, width, channels."""
        return (*self.size, CHANNELS[self.colour])


class ImageSizes(Settings):
    """How large images are, in pixels: from the smallest to the largest."""

    height: tuple[int, int]
    width: tuple[int, int]

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]]) -> "ImageSizes":
        """Return those of one or more images, each given by height and width."""
        heights, widths = zip(*sizes, strict=True)
        return cls(height=(min(heights), max(heights)), width=(min(widths), max(widths)))

    def outside(self, size: tuple[int, int]) -> dict[str, tuple[int, tuple[int, int]]]:
        """Return what of an image's height and width lies outside, by its name: the number and the range."""
        ranges = {"height": self.height, "width": self.width}
        return {
            name: (found, ends)
            for (name, ends), found in zip(ranges.items(), size, strict=True)
            if not ends[0] <= found <= ends[1]
        }


class UnreadableImage(Exception):
    """Why a file gives no sample."""


class DecodedImage(NamedTuple):
    """The first image of a file as a sample.

    Attributes:
        pixels: uint8 (height, width, channels).
        size: height and width of the image itself, upright.
        mode: its mode, by Pillow's names.
        is_transparent: whether it has transparent pixels, which became white.
        remarks: what a person should know.
    """

    pixels: npt.NDArray[np.uint8]
    size: tuple[int, int]
    mode: str
    is_transparent: bool
    remarks: tuple[str, ...]


def decode(file: Path | BytesIO, image_format: ImageFormat) -> DecodedImage:
    """Decode the first image of a file: upright by its EXIF orientation, 8 bits per channel, on white, resized.

    A JPEG file much larger than the sample is decoded at a half, a quarter or an eighth of its size.

    Raises:
        UnreadableImage: it is broken, no image of KINDS, has more than MOST_PIXELS, or pixels of 32 bits.
        OSError: it cannot be opened.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # Pillow would refuse a large JPEG before it can be reduced: see MOST_PIXELS
    with file.open("rb") if isinstance(file, Path) else file as content:
        try:
            with Image.open(content, formats=[kind for kind in KINDS if _is_known(kind)]) as image:
                return _decode(image, image_format)
        except UnreadableImage:
            raise
        except UnidentifiedImageError:  # its text has a memory address
            raise UnreadableImage(f"not an image, or of another kind than {', '.join(KINDS)}") from None
        except Exception as error:  # decoders raise whatever a broken file leads them to, struct.error for example
            raise UnreadableImage(f"not an image that can be read ({error})") from None


def _is_known(kind: str) -> bool:
    from PIL import Image

    Image.init()
    return kind in Image.OPEN


def _decode(image: "Image.Image", image_format: ImageFormat) -> DecodedImage:
    remarks = list(_frames(image))  # first: it goes through the frames, and returns to one that is not loaded
    whole, mode = image.size, image.mode
    side = 2 * max(image_format.size)  # the rest of the way is resized smoothly
    image.draft(None, (side, side))  # None: the mode is kept
    to_decode = whole if image.info.get("progressive") else image.size
    pixels = to_decode[0] * to_decode[1]
    if pixels > MOST_PIXELS:
        raise UnreadableImage(
            f"{whole[0]} x {whole[1]} pixels, and at most {MOST_PIXELS // 10**6} million are decoded: scale it down"
        )
    with _ALONE if pixels > LARGE else nullcontext():
        image.load()
        orientation = _orientation(image, remarks)
        upright = _eight_bits(_reduced(image, side))
        if orientation in TURNS:
            upright = upright.transpose(TURNS[orientation])  # type: ignore[arg-type]
        is_transparent = upright.has_transparency_data
        fitted = _fitted(_on_white(upright) if is_transparent else upright, image_format)
    sample = np.asarray(fitted, np.uint8).reshape(image_format.shape)
    size = whole if orientation >= 5 else whole[::-1]  # turned by 90 degrees
    return DecodedImage(sample, size, mode, is_transparent, tuple(remarks))


def _frames(image: "Image.Image") -> Iterator[str]:
    """Say it where a file has several pages or frames: only the first is read."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        yield f"only the first of its {frames} pages or frames was read"


def _orientation(image: "Image.Image", remarks: list[str]) -> int:
    """The orientation in EXIF; 1 (upright), with a remark, where it cannot be read."""
    # Not ImageOps.exif_transpose: it copies the image, and writes all EXIF data again, which fails for odd numbers.
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception as error:  # see `decode`
        remarks.append(f"its EXIF data cannot be read ({error}); it was not turned")
        return 1
    return orientation if orientation in TURNS else 1


def _reduced(image: "Image.Image", side: int) -> "Image.Image":
    """A very large image, made smaller by a whole factor: the conversions would copy all of it."""
    factor = min(image.size) // side
    if factor < 2 or image.width * image.height <= LARGE or image.mode[0] in "IF":
        return image
    if image.has_transparency_data and image.mode != "RGBA":
        image = image.convert("RGBA")
    elif image.mode in ("1", "P"):
        image = image.convert("RGB")
    return image.reduce(factor)


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """Divide 16-bit pixels, which Pillow would clip at 255."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // SIXTEEN_TO_EIGHT_BITS).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise UnreadableImage("its pixels have 32 bits, and the value of white is unknown; save it with 8 bits each")
    return image


def _on_white(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))


def _fitted(image: "Image.Image", image_format: ImageFormat) -> "Image.Image":
    from PIL import ImageOps

    height, width = image_format.size
    image = image.convert(MODES[image_format.colour])
    if image_format.fit == "letterbox":
        if min(round(image.height / image.width * width), round(image.width / image.height * height)) < 1:
            raise UnreadableImage(
                f"{image.width} x {image.height} pixels: nothing is left of it at this size with `fit: letterbox`"
            )
        return ImageOps.pad(image, (width, height))
    return ImageOps.fit(image, (width, height)) if image_format.fit == "crop" else image.resize((width, height))
