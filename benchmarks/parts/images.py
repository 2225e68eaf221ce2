"""Prepares folders of made-up colour images, with more and more files, as samples of 64 x 64."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.project_clone import clone_project, keep_only
from benchmarks.sizes import Size

CLASSES = 10
SIDES = (64, 96, 128)  # of the files, JPEG and PNG in turns


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each number of images: resources of adding the folder, of preparing it, and of finding it unchanged."""
    for count in size.images:
        if str(count) not in done:
            with clone_project(lambda params: keep_only(params, [])) as clone:
                folder = clone.root.parent / "photos"
                make_images(count, folder)
                show = clone.run("modelyard", "data", "show", str(folder), "--size", "64x64", "--add", "photos")
                prepare = clone.run("dvc", "repro", "--quiet", "normalise@photos")
                unchanged = clone.run("modelyard", "data", "update", "photos")
                usages = {"show": show, "prepare": prepare, "unchanged": unchanged}
                yield str(count), {name: asdict(usage) for name, usage in usages.items()}


def make_images(count: int, folder: Path) -> None:
    """Write images of smooth colours, of mixed sizes, in a folder for each class."""
    random = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class_{label}").mkdir(parents=True)
    for number in range(count):
        colours = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        side = SIDES[number % len(SIDES)]
        file = folder / f"class_{number % CLASSES}" / f"{number:06}.{'jpg' if number % 2 else 'png'}"
        colours.resize((side, side)).save(file)
