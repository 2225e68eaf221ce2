"""Names of classes and categories that are not published: of few samples, they may tell who somebody is."""

from collections.abc import Collection, Mapping

from modelyard.data.contract import SMALLEST_CATEGORY

FEWER = f"of fewer than {SMALLEST_CATEGORY} samples"


def rare_names(counts: Mapping[str, int], stated: Collection[str] = ()) -> tuple[str, ...]:
    """The names with fewer than SMALLEST_CATEGORY samples, other than those that params.yaml states."""
    return tuple(name for name, count in counts.items() if count < SMALLEST_CATEGORY and name not in stated)


def other(count: int, singular: str, plural: str) -> str:
    """What stands for so many rare names."""
    return f"other ({count} {singular if count == 1 else plural} {FEWER})"


def other_classes(count: int) -> str:
    """What stands for so many rare classes."""
    return other(count, "class", "classes")
