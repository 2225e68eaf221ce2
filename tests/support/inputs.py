"""Small inputs for models, and the context of a training."""

from collections.abc import Callable
from pathlib import Path

from modelyard.data.inputs import InputDescription
from modelyard.data.samples import Samples
from modelyard.data.scaling import Scaler
from modelyard.models import Runtime, TrainingContext


def describe(
    rows: Samples, validation_samples: int = 0, classes: tuple[str, ...] = (), **changes: object
) -> InputDescription:
    """Describe an input of these samples; the task is regression unless classes are named."""
    values = {
        "dataset": "made_up",
        "task": "classification" if classes else "regression",
        "features": (),
        "classes": classes,
        "shape": rows.x.shape[1:],
        "dtype": str(rows.x.dtype),
        "training_samples": len(rows) - validation_samples,
        "validation_samples": validation_samples,
        "scaling": "none",
        "scaler": Scaler(),
    }
    return InputDescription(**(values | changes))


def training_context(
    folder: Path = Path("unused"),
    report: Callable[[dict], None] = lambda metrics: None,
    backbone: Path | None = None,
    **runtime: object,
) -> TrainingContext:
    """The context of a training; reports are ignored by default."""
    return TrainingContext(folder, Runtime(**runtime), report, backbone)
