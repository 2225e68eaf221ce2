"""Pictures that travel inside the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import ModelyardError

WIDEST = 1600  # pixels: twice what a column of the page shows, so that it is sharp on a retina screen
EFFORT = 40  # of the encoder, in percent: the rest costs seconds and spares next to nothing


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, with its size in pixels and the file that it was made from."""

    source: str
    width: int
    height: int
    file: str

    @property
    def name(self) -> str:
        """What it shows, by its file's name."""
        return Path(self.file).stem.replace("_", " ").capitalize()


def inline(path: Path, file: str) -> Picture:
    """A picture of at most WIDEST pixels across, as lossless WebP: a third of the bytes of matplotlib's PNG.

    Args:
        path: the picture.
        file: what to call it.

    Raises:
        ModelyardError: the file cannot be read as a picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            shown = image.convert("RGB" if _is_opaque(image) else "RGBA")
    except OSError as error:  # which Pillow's own errors are, too
        raise ModelyardError(f"{file}: this is no picture ({error}). Remove it, or rebuild its experiment.") from None
    if shown.width > WIDEST:
        shown = shown.resize((WIDEST, round(shown.height * WIDEST / shown.width)), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    shown.save(content, "WEBP", lossless=True, quality=EFFORT)
    encoded = base64.b64encode(content.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{encoded}", *shown.size, file)


def _is_opaque(image: "Image.Image") -> bool:  # noqa: F821
    return not image.has_transparency_data or image.convert("RGBA").getextrema()[3][0] == 255
