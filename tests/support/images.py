"""Folders of image files for tests."""

from pathlib import Path

import numpy as np
from PIL import Image

SHADES = {"bright": 200, "dark": 50}


def make_folder(folder: Path, count: int = 4, size: tuple[int, int] = (8, 8), mode: str = "L") -> Path:
    """Write `count` different images of each class, with this height and width; the dark ones are dark."""
    for label, shade in SHADES.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = np.full(size, shade, np.uint8)
            pixels[0, 0] = number
            Image.fromarray(pixels).convert(mode).save(folder / label / f"{number:03}.png")
    return folder
