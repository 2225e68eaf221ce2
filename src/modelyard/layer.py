"""What a person sees of a model."""

from typing import NamedTuple


class Layer(NamedTuple):
    """One layer: its name and kind, the shape of what it gives for a row, and how many numbers it has."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
