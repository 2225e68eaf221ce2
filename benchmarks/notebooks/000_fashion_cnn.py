"""Notebook 000 as published: a convolutional network on Fashion-MNIST, with images before and after training."""

import matplotlib
import notebook_support

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import tensorflow as tf

CLASSES = [
    "T-shirt/top", "Trouser/pants", "Pullover shirt", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip

(train_x, train_y), (test_x, test_y) = notebook_support.fashion_mnist()
train_x, test_x = train_x / 255.0, test_x / 255.0
train_x = train_x.reshape(-1, 28, 28, 1)
test_x = test_x.reshape(-1, 28, 28, 1)
for index in range(16):
    plt.subplot(4, 4, index + 1)
    plt.imshow(train_x[index].reshape(28, 28), cmap="gray")

model = tf.keras.Sequential(
    [
        tf.keras.layers.Conv2D(input_shape=(28, 28, 1), kernel_size=(3, 3), filters=16),
        tf.keras.layers.Conv2D(32, (3, 3)),
        tf.keras.layers.Conv2D(64, (3, 3)),
        tf.keras.layers.Flatten(),
        tf.keras.layers.Dense(128, activation="relu"),
        tf.keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
model.fit(train_x, train_y, validation_split=0.2, epochs=notebook_support.epochs(15))
notebook_support.log_metric("fashion_cnn", "accuracy", model.evaluate(test_x, test_y, verbose=0)[1])

plt.figure(figsize=(15, 15))
hypothesis = tf.argmax(model.predict(train_x), 1).numpy()
for index in range(16):
    plt.subplot(4, 4, index + 1)
    plt.imshow(train_x[index].reshape(28, 28), cmap="gray")
    right = train_y[index] == hypothesis[index]
    predicted = CLASSES[hypothesis[index]]
    plt.title(predicted if right else f"{CLASSES[train_y[index]]}/{predicted}")
plt.savefig("predictions.png")
