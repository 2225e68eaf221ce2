"""Small inputs for models, and what a training works with."""

from collections.abc import Callable
from pathlib import Path

from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.models import Runtime, TrainingContext


def describe(
    rows: Samples, validation_rows: int = 0, classes: tuple[str, ...] = (), **changes: object
) -> InputDescription:
    """The description of an input made of these rows; regression unless classes are named."""
    values = {
        "dataset": "made_up",
        "task": "classification" if classes else "regression",
        "features": (),
        "classes": classes,
        "shape": rows.x.shape[1:],
        "dtype": str(rows.x.dtype),
        "training_rows": len(rows) - validation_rows,
        "validation_rows": validation_rows,
        "scaling": "none",
        "scaler": Scaler(),
    }
    return InputDescription(**(values | changes))


def training_context(
    folder: Path = Path("unused"),
    report: Callable[[dict], None] = lambda figures: None,
    backbone: Path | None = None,
    **runtime: object,
) -> TrainingContext:
    """What a training works with; whatever it tells is not heard."""
    return TrainingContext(folder, Runtime(**runtime), report, backbone)
