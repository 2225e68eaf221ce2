"""Image files of any size and mode, converted to what a model takes."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from threading import Lock, get_ident
from typing import NamedTuple

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import WHITE, InputDescription
from modelyard.data.readers.image_file import CHANNELS, MODES, DecodedImage, ImageFormat, UnreadableImage, decode
from modelyard.serving.batch import PredictionBatch, Unreadable, open_all, shown_name, stack

COLOURS = {"grey": "grey", "rgb": "colour"}  # in warnings


class ImageSample(NamedTuple):
    """The first image of a file as a sample (height, width, channels), its own size, and what a person should know."""

    pixels: np.ndarray
    size: tuple[int, int]
    remarks: list[str]


class _WarningsByThread:
    """Records the warnings of each thread for itself: `warnings.catch_warnings` alone records those of all threads.

    A lock around decoding would do so as well, but then the small images that a server is sent wait for a large one.
    """

    def __init__(self) -> None:
        self._lock, self._catching = Lock(), ExitStack()
        self._texts: dict[int, list[str]] = {}  # by thread

    @contextmanager
    def record(self) -> Iterator[list[str]]:
        """Yield the list to which each warning of this thread is added, as one line."""
        with self._lock:
            if not self._texts:
                self._catching.enter_context(warnings.catch_warnings(action="always"))
                warnings.showwarning = self._add
            texts = self._texts[get_ident()] = []
        try:
            yield texts
        finally:
            with self._lock:
                del self._texts[get_ident()]
                if not self._texts:
                    self._catching.close()

    def _add(self, message: Warning | str, *_: object, **__: object) -> None:
        self._texts.get(get_ident(), []).append(" ".join(str(message).split()))


_WARNINGS = _WarningsByThread()


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Read image files as samples (n, height, width, channels); for a model of image files as its reader does.

    Raises:
        ModelyardError: the model takes images of neither 1 nor 3 channels.
    """
    image_format = format_of(description)
    names: list[str] = []
    samples: list[np.ndarray] = []
    sizes: list[tuple[int, int]] = []
    remarks: list[str] = []
    errors: list[str] = []
    for file, sample in open_all(files, lambda file: read_one(file, image_format, description), errors):
        names.append(shown_name(file))
        samples.append(sample.pixels)
        sizes.append(sample.size)
        remarks += [f"{names[-1]}: {remark}" for remark in sample.remarks]
    x = stack(samples, description.shape, description.dtype)
    return PredictionBatch({"file": names}, x, tuple(remarks), tuple(errors), np.reshape(sizes, (-1, 2)))


def format_of(description: InputDescription) -> ImageFormat:
    """How files are decoded for a model; where its samples were no image files, they are stretched.

    Raises:
        ModelyardError: the model takes images of neither 1 nor 3 channels.
    """
    if description.image_format:
        return description.image_format
    height, width, channels = description.shape
    for colour, count in CHANNELS.items():
        if count == channels:
            return ImageFormat(size=(height, width), colour=colour, fit="stretch")
    raise ModelyardError(f"this model takes images of {channels} channels; image files are read with 1 or 3 only")


def read_one(file: Path | BytesIO, image_format: ImageFormat, description: InputDescription) -> ImageSample:
    """Read one image, from a file or its bytes.

    Raises:
        Unreadable: it cannot be decoded.
    """
    try:
        with _WARNINGS.record() as noticed:
            decoded = decode(file, image_format)
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except UnreadableImage as error:
        raise Unreadable(str(error)) from None
    remarks = [*decoded.remarks, *dict.fromkeys(noticed)]
    if description.image_format:  # all else is as for the samples that the model was trained on
        return ImageSample(decoded.pixels, decoded.size, remarks)
    changes = ", ".join(_changes(decoded, image_format, description))
    return ImageSample(_scaled(decoded.pixels, description), decoded.size, [*remarks, *filter(None, [changes])])


def _scaled(pixels: np.ndarray, description: InputDescription) -> np.ndarray:
    """Pixels with the white of the model's samples instead of 255."""
    scaled = pixels.astype(np.float64) / WHITE * description.white_level
    return np.rint(scaled) if np.dtype(description.dtype).kind == "u" else scaled


def _changes(image: DecodedImage, image_format: ImageFormat, description: InputDescription) -> Iterator[str]:
    """The conversions of an image, in words."""
    from PIL import Image

    (height, width), (new_height, new_width) = image.size, image_format.size
    if image.size != image_format.size:
        distorted = "" if width * new_height == height * new_width else ", which changes its proportions"
        yield f"size from {width} x {height} to {new_width} x {new_height}{distorted}"
    if image.is_transparent:
        yield "transparent pixels to white"
    if Image.getmodebase("L" if image.mode.startswith("I;16") else image.mode) != MODES[image_format.colour]:
        yield f"to {COLOURS[image_format.colour]}"
    white = description.white_level
    if white != WHITE:
        yield f"white from {WHITE} to {white:g}"
