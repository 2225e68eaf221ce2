"""Optimizers of the training settings."""

import keras
import tensorflow as tf

from modelyard.models.engine.training_settings import CosineSchedule, NetworkTraining

ADAMW_WEIGHT_DECAY = 0.004  # the default of Keras's AdamW


def make_optimizer(training: NetworkTraining, steps: int) -> keras.optimizers.Optimizer:
    """Return the optimizer with its learning rate, or its own default where none is set.

    Args:
        training: The training settings.
        steps: Steps of an epoch, by which a cosine schedule falls.
    """
    optimizer = _optimizer(training)
    if training.learning_rate is not None:
        optimizer.learning_rate = training.learning_rate
    if isinstance(training.schedule, CosineSchedule):
        optimizer.learning_rate = _cosine(training.schedule, float(optimizer.learning_rate), training.epochs, steps)
    return optimizer


def _optimizer(training: NetworkTraining) -> keras.optimizers.Optimizer:
    if training.optimizer == "adam":
        return FusedAdam()
    if training.optimizer == "adamw":  # Adam with weight decay is all that Keras's AdamW is
        return FusedAdam(weight_decay=training.weight_decay or ADAMW_WEIGHT_DECAY)
    return keras.optimizers.get(training.optimizer)


def _cosine(schedule: CosineSchedule, rate: float, epochs: int, steps: int) -> keras.optimizers.schedules.CosineDecay:
    warmup = schedule.warmup_epochs
    fall = (schedule.epochs or epochs) - warmup
    rising = {"warmup_target": rate, "warmup_steps": warmup * steps} if warmup else {}
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else rate, decay_steps=fall * steps, alpha=schedule.alpha, **rising
    )


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # keras has no types
    """Keras's Adam with each step computed by TensorFlow's fused kernel.

    Keras's own step is a dozen operations, which on a dense layer of millions of weights are bound by memory.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Apply one step to a variable."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),  # an embedding's sparse gradient becomes dense here
        )
