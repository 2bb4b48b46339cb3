"""Local Mixup in `model.fit` of Keras, with any backend: `KERAS_BACKEND=torch python examples/keras_fit.py`.

It takes a few seconds and needs `pip install -e '.[keras]'` and a backend. The default backend here is PyTorch.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from sklearn.datasets import load_digits

from localmixup import CompleteGraph, ThresholdGraph
from localmixup.integrations.keras import LocalMixupDataset


def main(epochs: int = 8) -> dict[str, float]:
    digits = load_digits()
    images, labels = (digits.images[..., None] / 16).astype("float32"), digits.target
    x, y, x_test, y_test = images[:1000], labels[:1000], images[1000:], labels[1000:]
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(x, kept_share=0.3)}
    errors = {}
    for name, graph in graphs.items():
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
                keras.layers.MaxPooling2D(),
                keras.layers.Flatten(),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(1e-2))
        train = LocalMixupDataset(x, y, graph, num_classes=10, batch_size=64, seed=0)
        model.fit(train, epochs=epochs, verbose=0)
        errors[name] = float((model.predict(x_test, verbose=0).argmax(1) != y_test).mean()) * 100
        print(f"{name}: test error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main()
