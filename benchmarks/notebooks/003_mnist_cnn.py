"""Notebook 003 as published: a convolutional network on MNIST with early stopping.

Only the checkpoint's extension differs: Keras 3 refuses .hdf5.
"""

import notebook_support
from tensorflow.keras.callbacks import EarlyStopping, ModelCheckpoint
from tensorflow.keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from tensorflow.keras.models import Sequential
from tensorflow.keras.utils import to_categorical

(x_train, y_train), (x_test, y_test) = notebook_support.mnist()
x_train = x_train.reshape(x_train.shape[0], 28, 28, 1).astype("float32") / 255
x_test = x_test.reshape(x_test.shape[0], 28, 28, 1).astype("float32") / 255
y_train = to_categorical(y_train)
y_test = to_categorical(y_test)

model = Sequential()
model.add(Conv2D(32, kernel_size=(3, 3), input_shape=(28, 28, 1), activation="relu"))
model.add(Conv2D(64, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

checkpointer = ModelCheckpoint(filepath="./MNIST_CNN.keras", monitor="val_loss", verbose=1, save_best_only=True)
early_stopping_callback = EarlyStopping(monitor="val_loss", patience=10)
model.fit(
    x_train,
    y_train,
    validation_split=0.25,
    epochs=notebook_support.epochs(30),
    batch_size=200,
    verbose=0,
    callbacks=[early_stopping_callback, checkpointer],
)
accuracy = model.evaluate(x_test, y_test)[1]
print(f"\n Test Accuracy: {accuracy:.4f}")
notebook_support.log_metric("mnist_cnn", "accuracy", accuracy)
