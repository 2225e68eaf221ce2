"""Samples as tf.data batches: they stay in their compact type, the model itself scales them."""

import numpy as np
import tensorflow as tf

from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.models.engine import box_coding
from modelyard.models.engine.training_settings import NetworkTraining

VALIDATION_BATCH = 1000  # a mean over rows does not depend on it


def use_threads(threads: int) -> None:
    """Fix the number of threads of this process's TensorFlow; a second, different number is refused by TensorFlow."""
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


class Batches:
    """An input's rows as batches (x, y); both kinds read one copy of them."""

    def __init__(self, data: TrainingInput, training: NetworkTraining, cells: tuple[int, ...]) -> None:
        """Make the targets that the loss takes; `cells` is the shape of a network's output between rows and units."""
        description = data.description
        self._data, self._training = data, training
        self._x = tf.constant(np.asarray(data.samples.x, dtype=description.network_dtype))
        restores = description.task == "reconstruction"
        self._y = self._x if restores else tf.constant(_targets(data.samples.y, description, training.loss, cells))

    def training(self) -> tf.data.Dataset:
        """Endless batches, reshuffled each epoch; the last batch of an epoch may be smaller."""
        order = self._order(self._training.seed)
        if self._training.reshuffle_before_split:
            order = order.take(self._data.description.training_rows)
        return self._gathered(order.batch(self._training.batch_size).repeat())

    def validation(self) -> tf.data.Dataset | None:
        """The validation rows in order; with the leak of notebook 002, whatever a new shuffle leaves over."""
        description = self._data.description
        if not description.validation_rows:
            return None
        order = tf.data.Dataset.range(description.training_rows, len(self._data.samples))
        if self._training.reshuffle_before_split:
            order = self._order(self._training.seed + 1).skip(description.training_rows)
        return self._gathered(order.batch(VALIDATION_BATCH))

    def _order(self, seed: int) -> tf.data.Dataset:
        leaks = self._training.reshuffle_before_split
        count = len(self._data.samples) if leaks else self._data.description.training_rows
        order = tf.data.Dataset.range(count)
        return order.shuffle(self._training.shuffle_buffer or count, seed=seed, reshuffle_each_iteration=True)

    def _gathered(self, order: tf.data.Dataset) -> tf.data.Dataset:
        # One thread: gathering is cheap, and the order of batches must not depend on the machine's load.
        batches = order.map(lambda which: (tf.gather(self._x, which), tf.gather(self._y, which)))
        if self._y is self._x:
            batches = batches.map(lambda x, y: (x, _scaled(y, self._data.description)))
        return batches.prefetch(2)


def _scaled(rows: tf.Tensor, description: InputDescription) -> tf.Tensor:
    """What an autoencoder restores: its input in scaled units, as float32."""
    offset, scale = description.scaler.as_arrays(description.shape)
    return (tf.cast(rows, tf.float32) - offset.astype(np.float32)) / scale.astype(np.float32)


def _targets(y: np.ndarray, description: InputDescription, loss: str, cells: tuple[int, ...]) -> np.ndarray:
    """Targets as the loss takes them: numbers (n, 1), class numbers (n,), one-hot rows (n, classes), or grids."""
    classes = len(description.classes)
    if loss == "detection":
        return box_coding.encode(y, description.shape, classes, cells)
    if loss == "categorical_crossentropy":
        return np.eye(classes, dtype=np.float32)[y]
    if loss == "sparse_categorical_crossentropy":
        return np.asarray(y, dtype=np.int32)
    return np.asarray(y, dtype=np.float32)[:, np.newaxis]
