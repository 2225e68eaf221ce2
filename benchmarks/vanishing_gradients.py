"""Draws the gradients of each layer of the networks that the claim `deep_sigmoids` compares, after each epoch.

    .venv/bin/python -m benchmarks.vanishing_gradients     # writes docs/pictures/vanishing_gradients.png

Takes about half a minute.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from modelyard import params
from modelyard.core.files import atomic_file
from modelyard.params.variants import ResolvedExperiment, resolve_sides

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "vanishing_gradients.png"
CLAIM = "deep_sigmoids"


def gradient_norms(resolved: ResolvedExperiment) -> tuple[np.ndarray, list[float]]:
    """The norms (epochs + 1, layers) of the gradients of the loss of all samples, and the accuracy after each epoch."""
    import keras

    digits = load_digits()
    x, y = digits.data.astype("float32") / 16, digits.target
    settings, training = resolved.experiment.model, resolved.experiment.training
    keras.utils.set_random_seed(training.seed)
    hidden = [keras.layers.Dense(units, activation=settings.activation) for units in settings.units]
    network = keras.Sequential([keras.Input(x.shape[1:]), *hidden, keras.layers.Dense(10, activation="softmax")])
    network.compile(training.optimizer, training.loss, metrics=["accuracy"])
    norms, accuracies = [_norms(network, x, y)], []
    for _ in range(training.epochs):
        history = network.fit(x, y, batch_size=training.batch_size, verbose=0).history
        norms.append(_norms(network, x, y))
        accuracies.append(float(history["accuracy"][-1]))
    return np.array(norms), accuracies


def _norms(network: Any, x: np.ndarray, y: np.ndarray) -> list[float]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = network.compute_loss(x, y, network(x, training=True))
    kernels = [layer.kernel.value for layer in network.layers]
    return [float(tf.norm(gradient)) for gradient in tape.gradient(loss, kernels)]


def main() -> None:
    """Draw both networks side by side."""
    project = params.load(ROOT / "params.yaml")
    sides = resolve_sides(project, params.load_claims(project, ROOT / "claims.yaml")[CLAIM])
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, len(sides), sharey=True)
    for axes, resolved in zip(panels, sides, strict=True):
        norms, accuracies = gradient_norms(resolved)
        for layer, line in enumerate(norms.T, start=1):
            shade = 0.85 - 0.85 * (layer - 1) / (norms.shape[1] - 1)
            axes.plot(line, color=(shade, shade, 1 - 0.3 * shade), label=f"layer {layer}")
        activation = resolved.experiment.model.activation
        axes.set(title=f"{activation}: accuracy {accuracies[-1]:.2f} on training samples", xlabel="epoch", yscale="log")
    panels[0].set_ylabel("norm of the gradient")
    panels[-1].legend(fontsize="x-small", ncols=2)
    with atomic_file(PICTURE) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
