"""Fitted models in the formats of other programs; `convert` gives ONNX, whose bytes depend on the model alone."""

from typing import TYPE_CHECKING, Any

from modelyard.models.engine.keras_model import KerasModel
from modelyard.models.export import keras_onnx, sklearn_onnx
from modelyard.models.export.graph import finished
from modelyard.models.export.unsupported import NotConvertible

if TYPE_CHECKING:
    import onnx

    from modelyard.models import Model

__all__ = ["NotConvertible", "convert"]


def convert(model: "Model") -> "dict[str, onnx.ModelProto]":
    """Convert a model, from raw samples to predictions, and its submodels to ONNX, by name; it is called `model` there.

    Raises:
        NotConvertible: it has something that cannot be converted.
    """
    from onnx.checker import ValidationError

    converter: Any = keras_onnx if isinstance(model, KerasModel) else sklearn_onnx
    try:
        return {name: finished(proto, model.description) for name, proto in converter.convert(model).items()}
    except ValidationError as error:  # an operation that the converter left as it was
        raise NotConvertible(str(error).partition("\n")[0]) from None
