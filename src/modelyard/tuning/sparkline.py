"""Learning curves in a few letters, for the terminal."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 10  # letters of a long curve


def sparkline(curve: Sequence[float], values: Sequence[float]) -> str:
    """Draw a curve; the height of a letter is the share of `values` that is below it.

    Ranks make the curves of all trials comparable, and a loss that explodes does not flatten the others.

    Args:
        curve: a score for each epoch or fold.
        values: the scores of all curves that are compared, sorted.
    """
    letters = min(WIDTH, len(curve))
    ends = [-(-(number + 1) * len(curve) // letters) - 1 for number in range(letters)]
    return "".join(BARS[_height(curve[end], values)] for end in ends)


def _height(value: float, values: Sequence[float]) -> int:
    below = (bisect_left(values, value) + bisect_right(values, value)) / 2
    return min(int(len(BARS) * below / max(1, len(values))), len(BARS) - 1)
