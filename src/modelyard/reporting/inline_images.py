"""Images as data URIs, so that the page needs no other file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.core.errors import ModelyardError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MAX_WIDTH = 1600  # pixels: twice the width of the page's column, for high-density screens
CAPTIONS = {
    "learning_curve": "Learning curve",
    "layers": "Layers",
    "confusion": "Confusion matrix (test samples)",
    "calibration": "Calibration curve (test samples)",
    "predicted_against_true": "Predicted against true values (test samples)",
    "first_training_images": "First training images with predicted class; red: true/predicted",
    "worst_mistakes": "Most confident errors (test samples): true/predicted",
    "occlusion": "Occlusion sensitivity of test images: of each class the first correct prediction and the worst error",
    "filters": "Filters of the first convolution",
    "feature_maps": "First training image and its feature maps after the first convolution",
    "reconstructions": "Test images and, below them, their reconstructions",
    "made_up": "Generated images, decoded from random codes",
    "detections": "Bounding boxes in test images: true and predicted",
    "precision_recall": "Precision-recall curve of each class",
    "readings": "Test texts as the model receives them",
}
"""Captions by file name without its ending; other files are captioned with their name."""
EFFORT = 20  # percent, of the WebP encoder: more than 24 takes two to three times as long and saves a seventh


@dataclass(frozen=True)
class InlineImage:
    """An image as a data URI.

    Attributes:
        source: the data URI.
        width: in pixels.
        height: in pixels.
        file: the path of the original file within the project.
    """

    source: str
    width: int
    height: int
    file: str

    @property
    def caption(self) -> str:
        """What the image shows."""
        stem = Path(self.file).stem
        return CAPTIONS.get(stem, stem.replace("_", " ").capitalize())


def inline_image(path: Path, file: str) -> InlineImage:
    """Read an image and encode it as lossless WebP, a third of the size of matplotlib's PNG.

    Args:
        path: the image; wider ones than MAX_WIDTH are scaled down.
        file: its path within the project, for captions and messages.

    Raises:
        ModelyardError: the file is not a readable image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            converted = image.convert("RGB" if _is_opaque(image) else "RGBA")
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises each of them, by where the file is damaged
        raise ModelyardError(f"{file}: not a readable image ({error}). Delete it or rebuild its experiment.") from None
    if converted.width > MAX_WIDTH:
        height = round(converted.height * MAX_WIDTH / converted.width)
        converted = converted.resize((MAX_WIDTH, height), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    converted.save(content, "WEBP", lossless=True, quality=EFFORT)
    encoded = base64.b64encode(content.getvalue()).decode("ascii")
    return InlineImage(f"data:image/webp;base64,{encoded}", converted.width, converted.height, file)


def _is_opaque(image: "PillowImage") -> bool:
    return not image.has_transparency_data or image.convert("RGBA").getchannel("A").getextrema()[0] == 255
