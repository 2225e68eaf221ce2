"""The networks of notebook 001, which has no code: XOR, a dense and a convolutional network in usual Keras code."""

import notebook_support
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from tensorflow.keras import Sequential, layers

tf.random.set_seed(777)

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
y = np.array([0, 1, 1, 0], dtype="float32")
for name, hidden in (("xor_perceptron", []), ("xor_mlp", [layers.Dense(8, activation="tanh")])):
    model = Sequential([layers.Input((2,)), *hidden, layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=tf.keras.optimizers.Adam(0.05), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=notebook_support.epochs(400), batch_size=4, verbose=0)
    notebook_support.log_metric(name, "accuracy", model.evaluate(x, y, verbose=0)[1])

digits = load_digits()
(x_train, y_train), (x_test, y_test) = notebook_support.shuffle_split(
    digits.images[..., np.newaxis] / 16.0, digits.target
)

network = Sequential(
    [
        layers.Input((8, 8, 1)),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
convolutional = Sequential(
    [
        layers.Input((8, 8, 1)),
        layers.Conv2D(32, (3, 3), padding="same", activation="relu"),
        layers.Conv2D(64, (3, 3), padding="same", activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
for name, model in (("digits_mlp", network), ("digits_cnn", convolutional)):
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, validation_split=0.2, epochs=notebook_support.epochs(40), batch_size=32, verbose=0)
    notebook_support.log_metric(name, "accuracy", model.evaluate(x_test, y_test, verbose=0)[1])
