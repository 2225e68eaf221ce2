"""Imputation, scaling and one-hot encoding of a table's columns as operations of Keras: saved models need no code."""

from typing import Any

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.preprocessing import Preprocessing


def encode(raw: Any, description: InputDescription, preprocessing: Preprocessing) -> Any:
    """Connect raw features (n, features), NaN for gaps, to encoded ones (n, encoded features).

    The order is that of `Preprocessing`.
    """
    import keras
    from keras import ops

    filled = ops.where(ops.isnan(raw), _constant([0.0 if fill is None else fill for fill in preprocessing.fill]), raw)
    parts = []
    if preprocessing.numbers:
        scaler = description.scaler
        scaling = keras.layers.Normalization(
            mean=_constant(scaler.offset), variance=np.square(_constant(scaler.scale)), dtype="float32", name="scaling"
        )
        parts.append(scaling(ops.take(filled, _positions(preprocessing.numbers), axis=1)))
    if preprocessing.indicators:
        gaps = ops.isnan(ops.take(raw, _positions(preprocessing.indicators), axis=1))
        parts.append(ops.cast(gaps, "float32"))
    for encoded in preprocessing.one_hot:
        codes = ops.take(filled, _positions([encoded.feature]), axis=1)
        one_hot = ops.cast(ops.equal(codes, _constant(encoded.codes)), "float32")
        parts += [one_hot] if encoded.codes else []
        if encoded.has_other:
            known = ops.sum(one_hot, axis=1, keepdims=True) if encoded.codes else ops.zeros_like(codes)
            parts.append(1.0 - known)
    return ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def _constant(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def _positions(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.int32)
