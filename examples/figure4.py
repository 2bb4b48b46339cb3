"""Figure 4 of the paper in a minute: error on two spirals against the radius of the threshold graph.

Radius 0 is training without mixup, an infinite radius is mixup, and every radius has as many updates.
`localmixup paper run figure4` trains up to a thousand networks for each radius instead of three.
"""

import math

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import nn

from localmixup import CompleteGraph, IdentityGraph, LocalMixup, ThresholdGraph

RADII = (0.0, 0.5, 1.0, 1.5, 2.0, math.inf)
SEEDS = 3


def spirals(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    angle = torch.rand(n, generator=generator).sqrt() * 9
    arm = torch.stack([-angle.cos() * angle, angle.sin() * angle], dim=1)
    x = torch.cat([arm, -arm]) + 0.5 * torch.randn(2 * n, 2, generator=generator)
    return x / x.std(), torch.arange(2).repeat_interleave(n)


def error_of(radius: float, seed: int) -> float:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    (x, y), (x_test, y_test) = spirals(250, generator), spirals(1000, generator)
    # a distant sample stays unmixed, so that every radius trains on as many samples
    graph = {0.0: IdentityGraph(), math.inf: CompleteGraph()}.get(radius, ThresholdGraph(radius))
    mix = LocalMixup(graph, outside="unmix")
    model = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(100):
        for rows in torch.randperm(len(x)).split(100):
            batch = mix(x[rows], y[rows])
            loss = batch.loss(F.cross_entropy, model(batch.inputs))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return 100 * (model(x_test).argmax(dim=1) != y_test).float().mean().item()


def main() -> Figure:
    means = []
    for radius in RADII:
        means.append(sum(error_of(radius, seed) for seed in range(SEEDS)) / SEEDS)
        print(f"radius {radius}: {means[-1]:.1f} % error")
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(RADII)), means, "o-", color="#0072B2")
    axes.set_xticks(range(len(RADII)), [str(radius) for radius in RADII])
    axes.set(xlabel="radius (0 is training without mixup, inf is mixup)", ylabel="test error, %", ylim=0)
    return figure


if __name__ == "__main__":
    main().savefig("figure4.png", dpi=110)
