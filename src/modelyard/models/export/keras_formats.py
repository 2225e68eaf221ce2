"""Keras models in TensorFlow's own formats for other programs, by Keras's export."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.models.export.keras_onnx import predicting
from modelyard.models.export.unsupported import NotConvertible

if TYPE_CHECKING:
    from modelyard.models.engine.keras_model import KerasModel


def save_litert(model: "KerasModel", file: Path) -> None:
    """Write a model for LiteRT, formerly TensorFlow Lite.

    Raises:
        NotConvertible: it needs operations that LiteRT itself does not have, such as the loop of a recurrent network.
    """
    import tensorflow as tf

    predicting(model).export(str(file), format="litert", verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter has become a package of its own
        interpreter = tf.lite.Interpreter(str(file))
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        line = str(error).partition(".")[0]
        raise NotConvertible(
            f"LiteRT cannot run it, like the loop of a recurrent network ({line}): take onnx"
        ) from None


def litert_answers(file: Path, x: np.ndarray) -> np.ndarray:
    """Compute the answers of a saved LiteRT model for samples (n, ...)."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(str(file))
    (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x.astype(given["dtype"]))
    interpreter.invoke()
    answers: np.ndarray = interpreter.get_tensor(found["index"])
    return answers


def save_saved_model(model: "KerasModel", folder: Path) -> None:
    """Write a model as a SavedModel, which TensorFlow Serving serves."""
    network: Any = predicting(model)
    network.export(str(folder), format="tf_saved_model", verbose=False)
