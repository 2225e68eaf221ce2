"""Learning curves in a few letters."""

from hypothesis import given
from hypothesis import strategies as st

from modelyard.tuning.sparkline import BARS, WIDTH, sparkline

SCORES = st.floats(allow_nan=False, width=32)


def test_a_rising_curve_rises_and_ends_at_the_top() -> None:
    curve = [0.1, 0.5, 0.7, 0.9]
    assert sparkline(curve, curve) == "▂▄▆█"


def test_a_loss_that_exploded_does_not_flatten_the_other_curves() -> None:
    losses = [0.9, 0.5, 0.3]
    assert sparkline(losses, sorted([*losses, 1e30])) == "▆▄▂"


def test_a_long_curve_is_drawn_to_its_last_epoch() -> None:
    curve = [0.0] * 99 + [1.0]
    assert sparkline(curve, sorted(curve)) == "▄" * (WIDTH - 1) + "█"


@given(st.lists(SCORES, min_size=1, max_size=40), st.lists(SCORES, max_size=40))
def test_any_curve_has_letters_as_high_as_its_scores_in_order(curve: list[float], others: list[float]) -> None:
    values = sorted(curve + others)
    assert len(sparkline(curve, values)) == min(WIDTH, len(curve))
    if len(curve) <= WIDTH:
        heights = [BARS.index(letter) for letter in sparkline(curve, values)]
        for first, one in zip(curve, heights, strict=True):
            for second, other in zip(curve, heights, strict=True):
                assert one <= other or first > second
