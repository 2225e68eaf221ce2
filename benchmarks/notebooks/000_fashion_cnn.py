"""Notebook 000 as it was published: a convolutional network on Fashion-MNIST, the images drawn before and after."""

import given
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import tensorflow as tf

CLASSES = [
    "T-shirt/top", "Trouser/pants", "Pullover shirt", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip

(train_x, train_y), (test_x, test_y) = given.fashion_mnist()
train_x, test_x = train_x / 255.0, test_x / 255.0
train_x = train_x.reshape(-1, 28, 28, 1)
test_x = test_x.reshape(-1, 28, 28, 1)
for place in range(16):
    plt.subplot(4, 4, place + 1)
    plt.imshow(train_x[place].reshape(28, 28), cmap="gray")

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
model.fit(train_x, train_y, validation_split=0.2, epochs=given.epochs(15))
given.tell("fashion_cnn", "accuracy", model.evaluate(test_x, test_y, verbose=0)[1])

plt.figure(figsize=(15, 15))
hypothesis = tf.argmax(model.predict(train_x), 1).numpy()
for place in range(16):
    plt.subplot(4, 4, place + 1)
    plt.imshow(train_x[place].reshape(28, 28), cmap="gray")
    right = train_y[place] == hypothesis[place]
    said = CLASSES[hypothesis[place]]
    plt.title(said if right else f"{CLASSES[train_y[place]]}/{said}")
plt.savefig("predictions.png")
