"""Small training inputs of each kind: rows of a table, images, texts, images with boxes."""

import numpy as np

from modelyard.data import scaling
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from support.inputs import describe


def tabular_input() -> TrainingInput:
    """60 standardised rows of 3 named features on a line with a little noise."""
    random = np.random.default_rng(0)
    x = random.normal(scale=(1, 10, 100), size=(60, 3))
    rows = Samples(x, x @ np.array([1.0, -0.2, 0.05]) + 3 + random.normal(scale=0.1, size=60))
    scaler = scaling.fit("standard", x[:48])
    return TrainingInput(describe(rows, 12, features=("a", "b", "c"), scaling="standard", scaler=scaler), rows)


def image_input(top: int = 255, channels: int = 1) -> TrainingInput:
    """80 images of 8 x 8 pixels from 0 to `top`, the bright ones in a class of their own."""
    random, y = np.random.default_rng(0), np.arange(80) % 2
    x = random.integers(0, top // 2, size=(80, 8, 8, channels)) + (top // 2) * y[:, None, None, None]
    x[0, 0, 0], x[1, 0, 0] = 0, top
    rows = Samples(x.astype(np.uint8), y.astype(np.uint8))
    scaling, scaler = ("pixels", Scaler(scale=(255.0,))) if top == 255 else ("minmax", Scaler(scale=(float(top),)))
    return TrainingInput(describe(rows, 16, ("dark", "bright"), scaling=scaling, scaler=scaler), rows)


def text_input() -> TrainingInput:
    """80 texts of up to 6 word numbers as Reuters has them: 1 to begin with, 2 for unknown words, 0 for padding."""
    random, y = np.random.default_rng(0), np.arange(80) % 2
    x = random.integers(6, 12, size=(80, 7))
    x[:, 0], x[:, 2] = 1, np.where(y, 4, 5)
    x[::3, 3] = 2
    x[np.arange(7) >= random.integers(4, 8, size=(80, 1))] = 0
    rows = Samples(x.astype(np.uint16), y.astype(np.uint8))
    words = ("", "", "…", "", "oil", "wheat", "the", "u", "s", "don't", "8", "mln")
    return TrainingInput(describe(rows, 16, ("energy", "food"), words=words), rows)


def box_input() -> TrainingInput:
    """60 images of 16 x 16 pixels with one bright square in each, small ones in a class of their own."""
    random = np.random.default_rng(0)
    x, y = np.zeros((60, 16, 16, 1), np.uint8), np.zeros((60, 1, 5), np.float32)
    for number, (image, (box,)) in enumerate(zip(x, y, strict=True)):
        size = 4 if number % 2 else 8
        left, top = random.integers(0, 16 - size, size=2)
        image[top : top + size, left : left + size] = 255
        box[:] = number % 2, left, top, left + size, top + size
    rows, scaler = Samples(x, y), Scaler(scale=(255.0,))
    changes = {"task": "detection", "scaling": "pixels", "scaler": scaler}
    return TrainingInput(describe(rows, 10, ("large", "small"), **changes), rows)
