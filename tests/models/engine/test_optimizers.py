"""Optimizers follow their settings, and the fast one takes the same steps as Keras's own."""

import keras
import numpy as np
import pytest

from modelyard.models.engine.optimizers import FusedAdam, make_optimizer
from modelyard.models.engine.training_settings import NetworkTraining

pytestmark = pytest.mark.usefixtures("default_runtime")


def training(**values) -> NetworkTraining:
    return NetworkTraining(seed=1, epochs=1, loss="mse", **values)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_an_optimizer_has_its_own_learning_rate_unless_one_is_set(name):
    default = keras.optimizers.get(name).learning_rate
    assert np.isclose(make_optimizer(training(optimizer=name)).learning_rate, default)
    assert np.isclose(make_optimizer(training(optimizer=name, learning_rate=0.25)).learning_rate, 0.25)


def weights_after_steps(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    """Two layers, after twelve steps."""
    keras.utils.set_random_seed(7)
    rows = keras.Input((5,))
    network = keras.Model(rows, keras.layers.Dense(1)(keras.layers.Dense(4, activation="relu")(rows)))
    network.compile(optimizer=optimizer, loss="mse")
    random = np.random.default_rng(7)
    network.fit(random.normal(size=(96, 5)), random.normal(size=(96, 1)), batch_size=8, shuffle=False, verbose=0)
    return network.get_weights()


def test_fused_adam_takes_the_steps_of_keras_adam():
    ours = weights_after_steps(FusedAdam(learning_rate=0.05))
    theirs = weights_after_steps(keras.optimizers.Adam(learning_rate=0.05))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_fused_adam_updates_an_embedding_as_a_dense_layer():
    """Keras squares the gradients of a word that stands twice in a batch one by one; their sum is meant."""
    words = np.tile([[0, 0, 1], [1, 2, 2]], (4, 1))
    moved = []
    for layer, rows in (
        (keras.layers.Embedding(4, 2, embeddings_initializer="ones"), words),
        (keras.layers.Dense(2, use_bias=False, kernel_initializer="ones"), np.eye(4, dtype="float32")[words]),
    ):
        given = keras.Input(rows.shape[1:], dtype=rows.dtype.name)
        network = keras.Model(given, layer(given))
        network.compile(optimizer=FusedAdam(learning_rate=0.05), loss="mse")
        network.fit(rows, np.zeros((8, 3, 2), np.float32), batch_size=2, shuffle=False, verbose=0)
        moved.append(network.get_weights()[0])
    np.testing.assert_allclose(*moved, atol=1e-6)
