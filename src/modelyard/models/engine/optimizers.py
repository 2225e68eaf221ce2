"""The optimizers that a training's settings name."""

import keras
import tensorflow as tf

from modelyard.models.engine.training_settings import NetworkTraining


def optimizer_of(training: NetworkTraining) -> keras.optimizers.Optimizer:
    """The optimizer with its learning rate, or its own default where none is set."""
    made = FusedAdam() if training.optimizer == "adam" else keras.optimizers.get(training.optimizer)
    if training.learning_rate is not None:
        made.learning_rate = training.learning_rate
    return made


class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam, each step in one pass over the memory by TensorFlow's own kernel.

    Keras spells the step out in a dozen operations, and on a dense layer of millions of weights they wait for memory.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
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
