"""Single-shot detector: strided convolutions, then a grid of cells that predict one box each.

See `engine/box_coding.py` for the values of a cell.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard.core.config import Settings as Base
from modelyard.core.errors import ModelyardError
from modelyard.data.samples import Task
from modelyard.models.engine.box_coding import BOX_NUMBERS
from modelyard.models.engine.tasks import Output

TASKS: tuple[Task, ...] = ("detection",)

Count = Annotated[int, Field(ge=1)]


class Settings(Base):
    """Hyperparameters of a small single-shot detector."""

    family: Literal["detector"]
    filters: Annotated[
        tuple[Count, ...], Field(min_length=1, description="of each convolution that halves height and width")
    ]
    head_filters: tuple[Count, ...] = Field(default=(), description="filters of each convolution on the cells")
    kernel_size: Count = Field(default=3, description="of every convolution")


def build(scaled: Any, output: Output, settings: Settings) -> Any:
    """Connect scaled images (n, height, width, channels) to cells (n, rows, columns, output.units).

    Raises:
        ModelyardError: The input is not an image, or its size is not divisible by 2 for each of the filters.
    """
    from keras import layers

    _refuse_indivisible(scaled.shape, settings)
    tensor = scaled
    for filters in settings.filters:
        tensor = layers.Conv2D(filters, settings.kernel_size, strides=2, padding="same", activation="relu")(tensor)
    for filters in settings.head_filters:
        tensor = layers.Conv2D(filters, settings.kernel_size, padding="same", activation="relu")(tensor)
    box = layers.Conv2D(BOX_NUMBERS, 1, activation="sigmoid", dtype="float32", name="box")(tensor)
    classes = layers.Conv2D(output.units - BOX_NUMBERS, 1, activation="softmax", dtype="float32", name="class")(tensor)
    return layers.Concatenate(dtype="float32", name="cells")([box, classes])


def _refuse_indivisible(shape: tuple[int | None, ...], settings: Settings) -> None:
    if len(shape) != 4:
        raise ModelyardError(
            f"family detector needs images (height, width, channels); this input has samples of shape {shape[1:]}"
        )
    cell = 2 ** len(settings.filters)
    if shape[1] % cell or shape[2] % cell:
        raise ModelyardError(
            f"filters {list(settings.filters)} halve the images {len(settings.filters)} times, and {shape[1]} x "
            f"{shape[2]} pixels are not divisible by {cell}: use fewer filters or images of another size"
        )
