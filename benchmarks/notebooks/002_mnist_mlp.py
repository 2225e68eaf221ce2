"""Notebook 002 as published: an MLP on MNIST whose validation samples leak into training; saves, loads, predicts."""

import matplotlib
import notebook_support

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Dense, Flatten
from tensorflow.keras.models import Sequential, load_model

(x_train, y_train), (x_test, y_test) = notebook_support.mnist()
x_train, x_test = x_train / 255.0, x_test / 255.0

ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(10000)
train_size = int(len(x_train) * 0.7)
train_ds = ds.take(train_size).batch(20)
val_ds = ds.skip(train_size).batch(20)

model = Sequential()
model.add(Flatten(input_shape=(28, 28)))
model.add(Dense(20, activation="relu"))
model.add(Dense(20, activation="relu"))
model.add(Dense(10, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
hist = model.fit(train_ds, validation_data=val_ds, epochs=notebook_support.epochs(10))
notebook_support.log_metric("mnist_mlp_reshuffled", "accuracy", model.evaluate(x_test, y_test)[1])
model.save("mnist_model.h5")

fig, loss_ax = plt.subplots()
acc_ax = loss_ax.twinx()
loss_ax.plot(hist.history["loss"], "y", label="train loss")
loss_ax.plot(hist.history["val_loss"], "r", label="val loss")
acc_ax.plot(hist.history["accuracy"], "b", label="train acc")
acc_ax.plot(hist.history["val_accuracy"], "g", label="val acc")
loss_ax.set_xlabel("epoch")
loss_ax.set_ylabel("loss")
acc_ax.set_ylabel("accuracy")
loss_ax.legend(loc="upper left")
acc_ax.legend(loc="lower left")
plt.savefig("learning_curve.png")

# The second program of the notebook, which does not tell the index of its image.
picks = 17
model = load_model("mnist_model.h5")
model.summary()
model.evaluate(x_test, y_test, verbose=2)
plt.figure()
plt.imshow(x_test[picks], cmap="gray")
plt.savefig("picked.png")
predict = np.argmax(model.predict(x_test[[picks]]))
print(f"predicted: {predict}")
