"""Regression: scikit-learn's diabetes table, without mixup, with mixup, and with Local Mixup.

A tutorial in one file. Inputs are standardised; the targets are mixed like the inputs.
"""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from torch import nn

from localmixup import CompleteGraph, IdentityGraph, LocalMixup, NearestOfGraph

SEEDS = 5


def error_of(mix: LocalMixup, seed: int) -> float:
    torch.manual_seed(seed)
    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True, scaled=False))
    order = torch.randperm(len(x))
    train, test = order[:300], order[300:]
    x = (x - x[train].mean(dim=0)) / x[train].std(dim=0)
    unit = y[train].std()
    y = (y[:, None] - y[train].mean()) / unit
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    for _ in range(60):
        for rows in train[torch.randperm(len(train))].split(50):
            batch = mix(x[rows], y[rows])
            loss = batch.loss(F.mse_loss, model(batch.inputs))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return (unit * F.mse_loss(model(x[test]), y[test]).sqrt()).item()


def main() -> Figure:
    mixes = {
        "no mixup": LocalMixup(IdentityGraph(), outside="unmix"),
        "mixup": LocalMixup(CompleteGraph()),
        "local mixup": LocalMixup(NearestOfGraph(4), pairing="neighbors"),
    }
    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axes = figure.subplots()
    for place, (name, mix) in enumerate(mixes.items()):
        errors = [error_of(mix, seed) for seed in range(SEEDS)]
        axes.plot(errors, [place] * SEEDS, "o", color="#0072B2", alpha=0.6)
        print(f"{name}: root mean square error {sum(errors) / SEEDS:.1f}")
    axes.set_yticks(range(len(mixes)), list(mixes))
    axes.set(xlabel="test error (root mean square)", ylim=(2.5, -0.5))
    return figure


if __name__ == "__main__":
    main().savefig("regression.png", dpi=110)
