"""Rows as tf.data batches: they stay in their compact type, the model itself scales them."""

import numpy as np
import tensorflow as tf

from modelyard.inputs import Description, TrainingInput
from modelyard.models import detector
from modelyard.models.settings import NetworkTraining
from modelyard.rows import Rows

VALIDATION_BATCH = 1000  # a mean over rows does not depend on it


def use_threads(threads: int) -> None:
    """Fix the number of threads of this process's TensorFlow; a second, different number is refused by TensorFlow."""
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def training_batches(data: TrainingInput, training: NetworkTraining) -> tf.data.Dataset:
    """Endless batches (x, y), reshuffled each epoch; the last batch of an epoch may be smaller."""
    order = _order(data, training, training.seed)
    if training.reshuffle_before_split:
        order = order.take(data.description.training_rows)
    return _batches(data.rows, order.batch(training.batch_size).repeat(), data.description, training)


def validation_batches(data: TrainingInput, training: NetworkTraining) -> tf.data.Dataset:
    """The validation rows in order; with the leak of notebook 002, whatever a new shuffle leaves over."""
    description = data.description
    order = tf.data.Dataset.range(description.training_rows, len(data.rows))
    if training.reshuffle_before_split:
        order = _order(data, training, training.seed + 1).skip(description.training_rows)
    return _batches(data.rows, order.batch(VALIDATION_BATCH), description, training)


def _order(data: TrainingInput, training: NetworkTraining, seed: int) -> tf.data.Dataset:
    count = len(data.rows) if training.reshuffle_before_split else data.description.training_rows
    order = tf.data.Dataset.range(count)
    return order.shuffle(training.shuffle_buffer or count, seed=seed, reshuffle_each_iteration=True)


def _batches(
    rows: Rows, order: tf.data.Dataset, description: Description, training: NetworkTraining
) -> tf.data.Dataset:
    x = tf.constant(np.asarray(rows.x, dtype=description.network_dtype))
    y = x if description.task == "reconstruction" else tf.constant(_targets(rows.y, description, training.loss))
    # One thread: gathering is cheap, and the order of batches must not depend on the machine's load.
    batches = order.map(lambda which: (tf.gather(x, which), tf.gather(y, which)))
    if description.task == "reconstruction":
        batches = batches.map(lambda x, y: (x, _scaled(y, description)))
    return batches.prefetch(2)


def _scaled(rows: tf.Tensor, description: Description) -> tf.Tensor:
    """What an autoencoder restores: its input in scaled units, as float32."""
    offset, scale = description.scaler.shaped(description.shape)
    return (tf.cast(rows, tf.float32) - offset.astype(np.float32)) / scale.astype(np.float32)


def _targets(y: np.ndarray, description: Description, loss: str) -> np.ndarray:
    """Targets as the loss takes them: numbers (n, 1), class numbers (n,), one-hot rows (n, classes), or grids."""
    classes = len(description.classes)
    if loss == "detection":
        return detector.encode(y, description.shape, classes)
    if loss == "categorical_crossentropy":
        return np.eye(classes, dtype=np.float32)[y]
    if loss == "sparse_categorical_crossentropy":
        return np.asarray(y, dtype=np.int32)
    return np.asarray(y, dtype=np.float32)[:, np.newaxis]
