"""Samples as tf.data batches; they keep their compact type, because the model itself scales them."""

import numpy as np
import tensorflow as tf

from modelyard.data.inputs import TrainingInput
from modelyard.models.engine.tasks import find_loss
from modelyard.models.engine.training_settings import NetworkTraining

VALIDATION_BATCH = 1000  # a mean over samples does not depend on it


class Batches:
    """Batches (x, y) of an input; training and validation batches read one copy of the samples."""

    def __init__(self, data: TrainingInput, training: NetworkTraining, cells: tuple[int, ...]) -> None:
        """Encode the targets for the loss.

        Args:
            data: The input.
            training: The training settings.
            cells: The shape of the network's output between samples and units.
        """
        description = data.description
        encode_targets = find_loss(description, training.loss).encode_targets
        self._data, self._training = data, training
        self._x = tf.constant(np.asarray(data.samples.x, dtype=description.network_dtype))
        self._y = tf.constant(encode_targets(data.samples.y, description, cells)) if encode_targets else self._x

    def training(self, skipped: int = 0) -> tf.data.Dataset:
        """Endless batches, reshuffled each epoch; the last batch of an epoch may be smaller.

        Args:
            skipped: So many batches are left out, those of a training that goes on.
        """
        order = self._order(self._training.seed)
        if self._training.reshuffle_before_split:
            order = order.take(self._data.description.training_samples)
        batches = order.batch(self._training.batch_size).repeat()
        return self._gathered(batches.skip(skipped) if skipped else batches)

    def validation(self) -> tf.data.Dataset | None:
        """The validation samples in order; with the leak of notebook 002, the remainder of another shuffle."""
        description = self._data.description
        if not description.validation_samples:
            return None
        order = tf.data.Dataset.range(description.training_samples, len(self._data.samples))
        if self._training.reshuffle_before_split:
            order = self._order(self._training.seed + 1).skip(description.training_samples)
        return self._gathered(order.batch(VALIDATION_BATCH))

    def _order(self, seed: int) -> tf.data.Dataset:
        leaks = self._training.reshuffle_before_split
        count = len(self._data.samples) if leaks else self._data.description.training_samples
        order = tf.data.Dataset.range(count)
        return order.shuffle(self._training.shuffle_buffer or count, seed=seed, reshuffle_each_iteration=True)

    def _gathered(self, order: tf.data.Dataset) -> tf.data.Dataset:
        # One thread: gathering is cheap, and the order of batches must not depend on the machine's load.
        batches = order.map(lambda indices: (tf.gather(self._x, indices), tf.gather(self._y, indices)))
        if self._y is self._x:
            scaler = self._data.description.scaler
            batches = batches.map(lambda x, y: (x, scaler.transform(tf.cast(y, tf.float32), np.float32)))
        # Nothing is to be tuned. The tuner sleeps twice as long each time, up to a minute, and the end of a fit waits
        # until it wakes.
        options = tf.data.Options()
        options.autotune.enabled = False
        return batches.prefetch(2).with_options(options)
