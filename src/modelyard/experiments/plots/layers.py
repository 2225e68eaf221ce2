"""A network from input to output, layer by layer."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from modelyard.experiments.plots.style import BLUE, GREEN, PURPLE, RED, SKY, YELLOW
from modelyard.models.engine.base import Layer

# The first key that a layer's kind contains determines its colour.
COLOUR_OF = {
    "Dropout": YELLOW,
    "BatchNormalization": YELLOW,
    "Conv": BLUE,
    "Pooling": SKY,
    "UpSampling": SKY,
    "Dense": RED,
    "Embedding": GREEN,
    "GRU": PURPLE,
    "LSTM": PURPLE,
    "RNN": PURPLE,
    "Bidirectional": PURPLE,
}
OTHER = "#999999"
ARROW = {"arrowstyle": "-|>", "color": "black"}
# Inches; a step is a box and the arrow below it.
WIDTH, BAND, BOX, STEP = 7.5, 0.16, 0.36, 0.56
NAME_AT, SHAPE_AT, PARAMETERS_AT = 0.28, 5.8, 7.35
LETTERS = 24  # of a name; a longer one would run into the shapes


def layer_diagram(layers: Sequence[Layer]) -> Figure:
    """The layers as boxes from top to bottom: kind, name, output shape, number of parameters; at the end their sum."""
    height = STEP * (len(layers) + 1) + 0.25
    figure = Figure(figsize=(WIDTH + 0.2, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-0.1, WIDTH + 0.1), ylim=(height - 0.2, -0.2))
    axes.set_axis_off()
    _write_line(axes, 0, "output shape", "parameters", fontsize="small", color="dimgrey")
    for number, layer in enumerate(layers):
        top = 0.2 + number * STEP
        _draw_layer(axes, top, layer)
        if number:
            axes.annotate("", (WIDTH / 2, top), (WIDTH / 2, top + BOX - STEP), arrowprops=ARROW)
    total = sum(layer.parameters for layer in layers)
    _write_line(axes, 0.3 + len(layers) * STEP, "all layers", f"{total:,}", fontweight="bold")
    return figure


def _draw_layer(axes: Axes, top: float, layer: Layer) -> None:
    colour = next((colour for kind, colour in COLOUR_OF.items() if kind in layer.kind), OTHER)
    middle = top + BOX / 2
    axes.add_patch(Rectangle((0, top), WIDTH, BOX, facecolor=(colour, 0.15), edgecolor=colour))
    axes.add_patch(Rectangle((0, top), BAND, BOX, facecolor=colour, edgecolor=colour))
    kind = axes.text(NAME_AT, middle, layer.kind, va="center", fontweight="bold")
    name = layer.name if len(layer.name) <= LETTERS else f"{layer.name[: LETTERS - 1]}…"
    beside_kind: dict[str, Any] = {"xycoords": kind, "xytext": (6, 0), "textcoords": "offset points"}
    axes.annotate(name, (1, 0.5), va="center", color="dimgrey", fontsize="small", **beside_kind)
    shape = " x ".join("any" if size is None else str(size) for size in layer.shape)
    _write_line(axes, middle, shape, f"{layer.parameters:,}")


def _write_line(axes: Axes, height: float, shape: str, parameters: str, **style: Any) -> None:
    axes.text(SHAPE_AT, height, shape, ha="right", va="center", **style)
    axes.text(PARAMETERS_AT, height, parameters, ha="right", va="center", **style)
