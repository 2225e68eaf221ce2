"""Times the layers of fashion_cnn, a large matrix product and whole training steps, on one core.

The process has as many threads as a training, because the order of sums and the speed depend on it.
`profile_step.py REPEATS` appends lines of JSON to the file named by BENCHMARK_LOG: of each layer, the median of REPEATS
repeats; of each kind of step, the mean of REPEATS steps in each of several rounds, the kinds in turns.
"""

import functools
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from modelyard.models.engine import runtime
from modelyard.models.engine.optimizers import FusedAdam

BATCH = 32
SHAPE = (28, 28, 1)
ROUNDS = 5  # of whole steps
SQUARE = 2048  # rows and columns of the matrix product
# The layers of fashion_cnn with most of the computation, each with the shape of an input sample.
LAYERS: tuple[tuple[Callable[[], Any], tuple[int, ...]], ...] = (
    (lambda: layers.Conv2D(16, 3), (28, 28, 1)),
    (lambda: layers.Conv2D(32, 3), (26, 26, 16)),
    (lambda: layers.Conv2D(64, 3), (24, 24, 32)),
    (lambda: layers.Dense(128, activation="relu"), (22 * 22 * 64,)),
)
STEPS = {
    "Keras's Adam": {"optimizer": keras.optimizers.Adam},
    "fused Adam": {"optimizer": FusedAdam},
    "fused Adam, XLA": {"optimizer": FusedAdam, "jit_compile": True},
    "fused Adam, bfloat16": {"optimizer": FusedAdam, "precision": "mixed_bfloat16"},
}


def main(repeats: int) -> None:
    """Measure everything and append the results to the log."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    runtime.use(runtime.Runtime())
    for precision in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(precision)
        append_json_line(what="matrix product", precision=precision, **_product(precision, repeats))
        for make, shape in LAYERS:
            append_json_line(what="layer", precision=precision, **_layer(make(), shape, repeats))
    fits = {name: _traced_fit(repeats, **how) for name, how in STEPS.items()}
    for _ in range(ROUNDS):
        for name, fit in fits.items():
            append_json_line(what="step", name=name, seconds=_seconds(fit) / repeats)


def append_json_line(**values: Any) -> None:
    """Append a line of JSON to the log."""
    with Path(os.environ["BENCHMARK_LOG"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def _product(precision: str, repeats: int) -> dict[str, float]:
    kind = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
    matrix = tf.cast(tf.random.normal((SQUARE, SQUARE)), kind)
    multiply = tf.function(lambda: tf.linalg.matmul(matrix, matrix))
    seconds = _median_seconds(lambda: multiply().numpy(), max(3, repeats // 10))
    return {"name": f"{SQUARE} x {SQUARE}", "seconds": seconds, "gflops": 2 * SQUARE**3 / seconds / 1e9}


def _layer(layer: Any, shape: tuple[int, ...], repeats: int) -> dict[str, Any]:
    """Forward and backward pass of a layer: 3 times the operations of the forward pass, 2 times for the first layer."""
    batch = tf.cast(tf.random.normal((BATCH, *shape), dtype=tf.float32), layer.compute_dtype)
    output = layer(batch)
    is_first = shape == SHAPE  # its input needs no gradient

    @tf.function
    def forward_and_backward(batch: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(batch)
            loss = tf.reduce_sum(tf.cast(layer(batch), tf.float32))
        return tape.gradient(loss, layer.trainable_variables + ([] if is_first else [batch]))

    seconds = _median_seconds(lambda: forward_and_backward(batch)[0].numpy(), repeats)
    weights = math.prod(layer.kernel.shape)
    positions = output.shape[1] * output.shape[2] if len(shape) == 3 else 1
    operations = 2 * BATCH * weights * positions * (2 if is_first else 3)
    name = f"{type(layer).__name__} {' x '.join(map(str, layer.kernel.shape))}"
    return {"name": name, "seconds": seconds, "gflops": operations / seconds / 1e9}


def _traced_fit(
    repeats: int, optimizer: type, precision: str = "float32", jit_compile: bool = False
) -> Callable[[], Any]:
    """Build a model and trace its step; returns the function that trains it by REPEATS steps in one execution."""
    keras.config.set_dtype_policy(precision)
    model = keras.Sequential([layers.Input(SHAPE), *(make() for make, shape in LAYERS[:3]), layers.Flatten()])
    model.add(LAYERS[3][0]())
    model.add(layers.Dense(10, activation="softmax", dtype="float32"))
    model.compile(
        optimizer=optimizer(),
        loss="sparse_categorical_crossentropy",
        steps_per_execution=repeats,
        jit_compile=jit_compile,
    )
    x, y = tf.random.uniform((BATCH, *SHAPE)), tf.zeros((BATCH,), tf.int32)
    options = tf.data.Options()
    # Else a fit ends only when the tuning thread wakes, after 0.6, 1.3, 2.6, ... seconds.
    options.autotune.enabled = False
    batches = tf.data.Dataset.from_tensors((x, y)).repeat().with_options(options)
    fit = functools.partial(model.fit, batches, steps_per_epoch=repeats, epochs=1, verbose=0)
    fit()  # traces and compiles
    return fit


def _median_seconds(work: Callable[[], Any], repeats: int) -> float:
    work()  # traces
    return median(_seconds(work) for _ in range(repeats))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]))
