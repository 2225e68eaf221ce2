"""What a person sees of a model."""

from typing import NamedTuple


class Layer(NamedTuple):
    """One layer as people see it: its kind, the shape of what it gives, and how many numbers it has learnt."""

    kind: str
    shape: tuple[int | None, ...]
    parameters: int
