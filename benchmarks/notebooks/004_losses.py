"""Notebook 004 as published: two toy networks, Boston housing with four scalings, and the same network on diabetes.

The notebook repeats the program for each scaling; this script uses a loop.
"""

import notebook_support
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_diabetes
from tensorflow.keras.layers import Dense
from tensorflow.keras.models import Sequential

# problem 56: a single layer
x = np.array([0.6, 0.9]).reshape(1, 2)
y = np.array([0, 0, 1]).reshape(1, 3)
model = Sequential()
model.add(Dense(3, input_shape=(2,), activation="softmax"))
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["acc"])
model.fit(x, y, epochs=notebook_support.epochs(30))
notebook_support.log_metric("softmax_single_layer", "accuracy", model.evaluate(x, y)[1])

# problem 57: two hidden layers
tf.random.set_seed(777)
x = np.array([0.7, 0.2]).reshape(1, 2)
y = np.array([0, 1]).reshape(1, 2)
model = Sequential()
model.add(Dense(3, input_shape=(2,), activation="relu"))
model.add(Dense(3, activation="relu"))
model.add(Dense(2, activation="softmax"))
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["acc"])
model.fit(x, y, epochs=notebook_support.epochs(30))
notebook_support.log_metric("softmax_two_hidden", "accuracy", model.evaluate(x, y)[1])


# problems 59 to 63
def raw(train, test):
    return train, test


def own_minmax(train, test):
    return tuple((x - np.min(x, axis=0)) / (np.max(x, axis=0) - np.min(x, axis=0)) for x in (train, test))


def minmax(train, test):
    max_x, min_x = np.max(train, axis=0), np.min(train, axis=0)
    return (train - min_x) / (max_x - min_x), (test - min_x) / (max_x - min_x)


def standard(train, test):
    mean, std = np.mean(train, axis=0), np.std(train, axis=0)
    return (train - mean) / std, (test - mean) / std


def diabetes():
    return notebook_support.shuffle_split(*load_diabetes(return_X_y=True, scaled=False))


for name, load_data, scale in (
    ("boston_mlp", notebook_support.boston_housing, raw),
    ("boston_mlp_minmax_leaky", notebook_support.boston_housing, own_minmax),
    ("boston_mlp_minmax", notebook_support.boston_housing, minmax),
    ("boston_mlp_standard", notebook_support.boston_housing, standard),
    ("diabetes_mlp_minmax", diabetes, minmax),
    ("diabetes_mlp_standard", diabetes, standard),
):
    (x_train, y_train), (x_test, y_test) = load_data()
    x_train, x_test = scale(x_train, x_test)
    tf.random.set_seed(777)
    model = Sequential()
    model.add(Dense(64, activation="relu", input_shape=(x_train.shape[1],)))
    model.add(Dense(32, activation="relu"))
    model.add(Dense(1))
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    model.fit(x_train, y_train, epochs=notebook_support.epochs(100), verbose=0)
    model.evaluate(x_test, y_test)
    result = model.predict(x_test)
    notebook_support.log_metric(name, "correlation", np.corrcoef(result.flatten(), y_test)[0, 1])
