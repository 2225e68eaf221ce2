"""The stage `export`: an experiment's model as ONNX, kept if it answers as the model itself does."""

from pathlib import Path
from typing import Any

import numpy as np

from modelyard import models
from modelyard.core.files import atomic_folder, write_json
from modelyard.data import inputs
from modelyard.models.engine.keras_model import KerasModel
from modelyard.models.engine.runtime import Runtime
from modelyard.models.export import NotConvertible, convert
from modelyard.serving.onnx_model import CONVERSION, OnnxModel

CHECKED_SAMPLES = 200  # of a network; of other models all, which takes no longer
RELATIVE_TOLERANCE = 1e-4  # of each number
ABSOLUTE_TOLERANCE = 1e-6  # of the largest number: a probability of nearly 0 has no exact digits


def convert_experiment(model: Path, training: Path, target: Path, runtime: Runtime) -> str:
    """Write a model and its submodels as ONNX, and what became of it; a model that cannot be converted is no failure.

    Args:
        model: the folder of the model.
        training: the folder of its training and validation samples; a network's answers are compared on the
            latter, or on the former where there are none; those of other models on both.
        target: the folder that is written.
        runtime: how the model itself is computed.

    Returns:
        One line for a person.
    """
    native = models.load(model, runtime)
    data = inputs.load_training(training)
    held_out = data.validation if len(data.validation) else data.training
    # ONNX compares numbers with the thresholds of trees in float32, and few samples may lie where that matters.
    samples = np.asarray(held_out.x[:CHECKED_SAMPLES] if isinstance(native, KerasModel) else data.samples.x)
    with atomic_folder(target) as folder:
        try:
            converted = {name: proto.SerializeToString(deterministic=True) for name, proto in convert(native).items()}
            difference = compare(_loaded(converted["model"]).predict(samples), native.predict(samples))
        except NotConvertible as reason:
            write_json(folder / CONVERSION, {"converted": False, "reason": str(reason)})
            return f"not converted: {reason}"
        for name, content in converted.items():
            (folder / f"{name}.onnx").write_bytes(content)
        write_json(folder / CONVERSION, _checks(len(samples)))
    return f"{', '.join(converted)}: answers for {len(samples)} samples differ by {difference:.1g} at most"


def _loaded(content: bytes) -> OnnxModel:
    try:
        return OnnxModel(content)
    except Exception as error:  # its errors have no common class
        raise NotConvertible(f"ONNX Runtime: {error}") from None


def compare(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of answers, relative to the largest number.

    Raises:
        NotConvertible: a number is not within the tolerance.
    """
    if expected.shape != found.shape:
        raise NotConvertible(f"the answers have the shape {found.shape} instead of {expected.shape}")
    largest = np.abs(expected).max()
    allowed = RELATIVE_TOLERANCE * np.abs(expected) + ABSOLUTE_TOLERANCE * largest
    wrong = np.count_nonzero(~(np.abs(found - expected) <= allowed))
    if wrong:
        raise NotConvertible(f"{wrong} of {expected.size} numbers differ from the answers of the model itself")
    return float(np.abs(found - expected).max() / (largest or 1))


def _checks(samples: int) -> dict[str, Any]:
    return {
        "converted": True,
        "checked_samples": samples,
        "relative_tolerance": RELATIVE_TOLERANCE,
        "absolute_tolerance": f"{ABSOLUTE_TOLERANCE:g} of the largest number",
    }
