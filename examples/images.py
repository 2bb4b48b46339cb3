"""Images: digits with a small convolutional network, without mixup, with mixup, and with Local Mixup.

A tutorial in one file. Three seeds are few; `localmixup compare digits` answers the question with intervals.
"""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import nn

from localmixup import CompleteGraph, IdentityGraph, LocalMixup, NearestOfGraph

SEEDS = 3


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip


def error_of(mix: LocalMixup, seed: int) -> float:
    torch.manual_seed(seed)
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    y, order = torch.tensor(digits.target), torch.randperm(len(x))
    train, test = order[:1000], order[1000:]
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(20):
        for rows in train[torch.randperm(len(train))].split(50):
            batch = mix(x[rows], y[rows])
            loss = batch.loss(F.cross_entropy, model(batch.inputs))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return 100 * (model(x[test]).argmax(dim=1) != y[test]).float().mean().item()


def main() -> Figure:
    mixes = {
        "no mixup": LocalMixup(IdentityGraph(), outside="unmix"),
        "mixup": LocalMixup(CompleteGraph()),
        "local mixup": LocalMixup(NearestOfGraph(16), pairing="neighbors"),
    }
    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axes = figure.subplots()
    for place, (name, mix) in enumerate(mixes.items()):
        errors = [error_of(mix, seed) for seed in range(SEEDS)]
        axes.plot(errors, [place] * SEEDS, "o", color="#0072B2", alpha=0.6)
        print(f"{name}: {sum(errors) / SEEDS:.2f} % of the test digits are wrong")
    axes.set_yticks(range(len(mixes)), list(mixes))
    axes.set(xlabel="test error, %", xlim=0, ylim=(2.5, -0.5))
    return figure


if __name__ == "__main__":
    main().savefig("images.png", dpi=110)
