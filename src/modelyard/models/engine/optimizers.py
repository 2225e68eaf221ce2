"""Optimizers of the training settings."""

import keras
import tensorflow as tf

from modelyard.models.engine.training_settings import NetworkTraining


def make_optimizer(training: NetworkTraining) -> keras.optimizers.Optimizer:
    """Return the optimizer with its learning rate, or its own default where none is set."""
    optimizer = FusedAdam() if training.optimizer == "adam" else keras.optimizers.get(training.optimizer)
    if training.learning_rate is not None:
        optimizer.learning_rate = training.learning_rate
    return optimizer


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
