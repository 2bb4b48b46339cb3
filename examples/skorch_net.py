"""Local Mixup in a skorch net: copy `local_mixup` and `LocalMixupMixin`. Run it with `python examples/skorch_net.py`.

A grid search chooses the radius. It takes a few seconds and needs `pip install -e '.[skorch]'`.
"""
# ruff: noqa: D102

import torch
from sklearn.datasets import make_circles
from sklearn.model_selection import GridSearchCV, train_test_split
from skorch import NeuralNetClassifier
from skorch.utils import to_tensor

from localmixup import LocalMixup, MixedBatch, ThresholdGraph


def local_mixup(radius: float, **settings) -> LocalMixup:
    return LocalMixup(ThresholdGraph(radius), **settings)


class LocalMixupMixin:
    """Mixin for a skorch net, which then needs `mix__radius=...` and `criterion__reduction="none"`."""

    def initialize_criterion(self):
        super().initialize_criterion()
        self.mix_ = local_mixup(**self.get_params_for("mix"))
        return self

    def train_step_single(self, batch, **fit_params):
        self._set_training(True)  # before mixing, because validation leaves mix_ in evaluation mode
        x, y = to_tensor(batch, device=self.device)
        self.plans_.append(self.mix_.plan(x, y))
        mixed = self.plans_[-1].apply(x, y)
        return super().train_step_single((mixed.inputs, mixed), **fit_params)

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        per_sample = super().get_loss
        if isinstance(y_true, MixedBatch):
            return y_true.loss(lambda outputs, targets: per_sample(outputs, targets, *args, **kwargs), y_pred)
        return per_sample(y_pred, y_true, *args, **kwargs).mean()  # validation

    def on_epoch_begin(self, *args, **kwargs):
        super().on_epoch_begin(*args, **kwargs)
        self.plans_ = []

    def on_epoch_end(self, *args, **kwargs):
        counted = torch.stack([plan.weights.sum() for plan in self.plans_])
        shares = torch.stack([plan.mixed_share for plan in self.plans_])
        self.mean_weight_ = float(counted.sum() / sum(len(plan.weights) for plan in self.plans_))
        self.mixed_share_ = float((shares * counted).sum() / counted.sum().clamp_min(1e-12))
        self.history.record("mixed_share", self.mixed_share_)
        super().on_epoch_end(*args, **kwargs)


class LocalMixupNet(LocalMixupMixin, NeuralNetClassifier):
    """A classifier that trains on mixed batches."""


class Network(torch.nn.Sequential):
    """A network that returns probabilities, as `NeuralNetClassifier` expects."""

    def __init__(self, units: int = 50):
        super().__init__(torch.nn.Linear(2, units), torch.nn.ReLU(), torch.nn.Linear(units, 2), torch.nn.Softmax(-1))


def main(epochs: int = 60) -> dict[str, float]:
    x, y = make_circles(600, noise=0.05, factor=0.75, random_state=0)
    x_train, x_test, y_train, y_test = train_test_split(x.astype("float32"), y, test_size=0.5, random_state=0)
    net = LocalMixupNet(
        Network, criterion__reduction="none", optimizer=torch.optim.Adam, lr=0.02, batch_size=50, max_epochs=epochs,
        iterator_train__shuffle=True, train_split=False, verbose=0, mix__radius=float("inf"), mix__outside="unmix",
    )  # fmt: skip
    torch.manual_seed(0)
    errors = {"mixup": 100 * (1 - net.fit(x_train, y_train).score(x_test, y_test))}
    search = GridSearchCV(net, {"mix__radius": [0.3, 0.6, 1.0]}, cv=3).fit(x_train, y_train)
    errors["local mixup"] = 100 * (1 - search.score(x_test, y_test))
    for name, error in errors.items():
        print(f"{name}: test error {error:.1f} %")
    print(f"chosen: {search.best_params_}")
    return errors


if __name__ == "__main__":
    main()
