"""Layer diagrams: every layer with its numbers, from top to bottom, without overlap."""

import itertools

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from modelyard.experiments import plots
from modelyard.models.engine.base import Layer

FEW = [
    Layer("raw", "InputLayer", (28, 28, 1), 0),
    Layer("conv", "Conv2D", (26, 26, 32), 320),
    Layer("flat", "Flatten", (21632,), 0),
    Layer("out", "Dense", (10,), 216330),
]
LONG = [Layer("a_very_long_name_of_a_layer_that_goes_on", "GlobalAveragePooling2D", (None, 224, 512), 10**9)]


def written(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_each_layer_shows_kind_name_shape_and_parameters_and_the_last_line_their_sum() -> None:
    assert written(plots.layer_diagram(FEW)) == [
        *("output shape", "parameters"),
        *("InputLayer", "raw", "28 x 28 x 1", "0"),
        *("Conv2D", "conv", "26 x 26 x 32", "320"),
        *("Flatten", "flat", "21632", "0"),
        *("Dense", "out", "10", "216,330"),
        *("all layers", "216,650"),
    ]


def test_a_size_that_is_not_fixed_is_any() -> None:
    assert "any x 32" in written(plots.layer_diagram([Layer("words", "Embedding", (None, 32), 32000)]))


@pytest.mark.parametrize("number", [1, 4, 25])
def test_arrows_lead_from_each_layer_to_the_next(number: int) -> None:
    axes = plots.layer_diagram((FEW * 7)[:number]).axes[0]
    boxes = [patch for patch in axes.patches if patch.get_width() > 1]
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None)]
    ends = [(arrow.xyann[1], arrow.xy[1]) for arrow in arrows]
    bottoms, tops = [box.get_y() + box.get_height() for box in boxes], [box.get_y() for box in boxes]
    assert len(boxes) == number
    assert ends == [pytest.approx(pair) for pair in zip(bottoms[:-1], tops[1:], strict=True)]


@pytest.mark.parametrize("layers", [FEW, FEW * 6 + FEW[:1], LONG], ids=["4", "25", "long"])
def test_no_text_overlaps_another_or_leaves_the_plot(layers: list[Layer]) -> None:
    figure = plots.layer_diagram(layers)
    figure.draw_without_rendering()
    places = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(places, 2))
    for place in places:
        assert figure.bbox.x0 <= place.x0 < place.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= place.y0 < place.y1 <= figure.bbox.y1


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Conv2D", "Conv2DTranspose", True),
        ("GRU", "SimpleRNN", True),
        ("Normalization", "Flatten", True),
        ("Conv2D", "Dense", False),
        ("BatchNormalization", "Normalization", False),
        ("MaxPooling2D", "Conv2D", False),
    ],
)
def test_layers_of_one_kind_share_their_colour(one: str, other: str, same: bool) -> None:
    axes = plots.layer_diagram([Layer(kind, kind, (1,), 0) for kind in (one, other)]).axes[0]
    first, second = [to_hex(patch.get_facecolor()) for patch in axes.patches if patch.get_width() < 1]
    assert (first == second) == same
