"""Pictures that travel inside the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from modelyard.core.errors import ModelyardError

WIDEST = 1600  # pixels: twice what a column of the page shows, so that it is sharp on a retina screen
SHOWS = {
    "learning_curve": "Learning curve",
    "layers": "Layers",
    "confusion": "Confusion matrix of the test rows",
    "predicted_against_true": "Predicted against true values of the test rows",
    "first_training_images": "First training images with the predicted class; red is true/predicted",
    "worst_mistakes": "Surest mistakes among the test rows: true/predicted",
    "filters": "Filters of the first convolution",
    "feature_maps": "First training image, and what the first convolution finds in it",
    "reconstructions": "Test images over what was restored of them",
    "made_up": "Images that never were, decoded from random codes",
    "detections": "Boxes in test images: true and found",
    "precision_recall": "Precision over recall, class by class",
    "readings": "Test texts as the model reads them",
}
"""What a picture shows, by its file's name; others are told by that name alone."""
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
        """What it shows."""
        stem = Path(self.file).stem
        return SHOWS.get(stem, stem.replace("_", " ").capitalize())


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
