"""Local Mixup as a fastai callback: copy `LocalMixupCallback`. Run it with `python examples/fastai_learner.py`.

It takes a few seconds and needs `pip install fastai`.
"""
# ruff: noqa: D102

import torch
from fastai.basics import CrossEntropyLossFlat, DataLoader, DataLoaders, Learner, NoneReduce, accuracy, set_seed
from fastai.callback.core import Callback
from fastcore.basics import detuplify, tuplify
from sklearn.datasets import load_digits

from localmixup import CompleteGraph, LocalMixup, ThresholdGraph


class LocalMixupCallback(Callback):
    """Mix training batches and weight their loss. Validation and prediction do not change."""

    run_valid = False

    def __init__(self, mix: LocalMixup):
        self.mix = mix

    def before_batch(self):
        # different tensor types of fastai cannot be multiplied
        x, y = (detuplify(tuple(t.as_subclass(torch.Tensor) for t in ts)) for ts in (self.xb, self.yb))
        self.plan = self.mix.plan(x, y)
        self.mixed = self.plan.apply(x, y)
        self.learn.xb = tuplify(self.mixed.inputs)

    def per_sample(self, pred, y):
        with NoneReduce(self.loss_func) as losses:  # fastai flattens its losses: back to one row per sample
            return losses(pred, *tuplify(y)).view(len(pred), -1).mean(1)

    def after_loss(self):
        self.learn.loss_grad = self.mixed.loss(self.per_sample, self.pred)
        self.learn.loss = self.learn.loss_grad.clone()
        self.plans.append(self.plan)

    def before_train(self):
        self.plans = []

    def after_train(self):
        counted = torch.stack([plan.weights.sum() for plan in self.plans])
        mixed = counted * torch.stack([plan.mixed_share for plan in self.plans])
        self.mean_weight = float(counted.sum() / sum(len(plan.weights) for plan in self.plans))
        self.mixed_share = float(mixed.sum() / counted.sum().clamp_min(1e-12))
        print(f"mean weight {self.mean_weight:.3f}, share of the counted samples that are mixed {self.mixed_share:.3f}")


def main() -> dict[str, float]:
    digits = load_digits()
    x, y = torch.from_numpy(digits.images)[:, None].float() / 16, torch.from_numpy(digits.target).long()
    train, valid = list(zip(x[:1000], y[:1000], strict=True)), list(zip(x[1000:], y[1000:], strict=True))
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(x[:1000], kept_share=0.3)}
    errors = {}
    for name, graph in graphs.items():
        set_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(256, 10),
        )
        dls = DataLoaders(DataLoader(train, bs=64, shuffle=True), DataLoader(valid, bs=200))
        mix = LocalMixup(graph)
        learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(), metrics=accuracy, cbs=LocalMixupCallback(mix))
        with learn.no_logging():
            learn.fit(8, lr=1e-2)
        errors[name] = 100 * (1 - learn.recorder.values[-1][-1])
        print(f"{name}: validation error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main()
