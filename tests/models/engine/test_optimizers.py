"""Optimizers follow their settings, and the fast one takes the same steps as Keras's own."""

import keras
import numpy as np
import pytest

from modelyard.models.engine.optimizers import FusedAdam, make_optimizer
from modelyard.models.engine.training_settings import NetworkTraining

pytestmark = pytest.mark.usefixtures("default_runtime")


def training(**values) -> NetworkTraining:
    return NetworkTraining(**({"seed": 1, "epochs": 1, "loss": "mse"} | values))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_an_optimizer_has_its_own_learning_rate_unless_one_is_set(name):
    default = keras.optimizers.get(name).learning_rate
    assert np.isclose(make_optimizer(training(optimizer=name), 1).learning_rate, default)
    assert np.isclose(make_optimizer(training(optimizer=name, learning_rate=0.25), 1).learning_rate, 0.25)


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


@pytest.mark.parametrize("decay", [None, 0.3])
def test_adamw_takes_the_steps_of_keras_adamw(decay):
    ours = make_optimizer(training(optimizer="adamw", learning_rate=0.05, weight_decay=decay), 1)
    theirs = keras.optimizers.AdamW(learning_rate=0.05, **({"weight_decay": decay} if decay else {}))
    for mine, other in zip(weights_after_steps(ours), weights_after_steps(theirs), strict=True):
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


def rates(epochs: int, steps: int, **values) -> np.ndarray:
    """The learning rate of each step."""
    optimizer = make_optimizer(training(epochs=epochs, **values), steps)
    optimizer.build([])
    found = []
    for _ in range(epochs * steps):
        found.append(float(optimizer.learning_rate))
        optimizer.iterations.assign_add(1)
    return np.array(found)


@pytest.mark.parametrize("optimizer, rate", [("adam", None), ("sgd", 0.1), ("adamw", 0.02), ("rmsprop", None)])
def test_a_cosine_falls_from_the_learning_rate_to_nothing(optimizer, rate):
    used = rates(4, 25, optimizer=optimizer, learning_rate=rate, schedule={"kind": "cosine"})
    start = rate or 0.001
    np.testing.assert_allclose(used, start * (1 + np.cos(np.pi * np.arange(100) / 100)) / 2, atol=1e-6 * start)


def test_a_cosine_rises_first_and_ends_where_it_is_told_to():
    schedule = {"kind": "cosine", "warmup_epochs": 2, "epochs": 4, "alpha": 0.1}
    used = rates(6, 10, learning_rate=0.5, schedule=schedule)
    np.testing.assert_allclose(used[:20], 0.5 * np.arange(20) / 20, atol=1e-6)
    assert used.argmax() == 20
    assert (np.diff(used[20:41]) < 0).all()
    np.testing.assert_allclose(used[40:], 0.05, atol=1e-6)


def test_a_constant_schedule_is_none():
    assert np.ptp(rates(2, 5, schedule={"kind": "constant"})) == 0
