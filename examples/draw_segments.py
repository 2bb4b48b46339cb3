"""Where mixup mixes, and where Local Mixup does: segments between the partners of two spirals.

Every mixed sample lies on a segment between two samples. A grey segment joins two classes. With random partners the
segments cross the other spiral, and the mixed labels on them are false.
"""

import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from localmixup import CompleteGraph, LocalMixup, NearestOfGraph

COLORS = ("#0072B2", "#D55E00")


def spirals(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    angle = torch.rand(n, generator=generator).sqrt() * 9
    arm = torch.stack([-angle.cos() * angle, angle.sin() * angle], dim=1)
    x = torch.cat([arm, -arm]) + 0.3 * torch.randn(2 * n, 2, generator=generator)
    return x / x.std(), torch.arange(2).repeat_interleave(n)


def main() -> Figure:
    generator = torch.Generator().manual_seed(0)
    x, y = spirals(120, generator)
    mixes = {
        "mixup": LocalMixup(CompleteGraph(), generator=generator),
        "local mixup: the nearest of 16": LocalMixup(NearestOfGraph(16), pairing="neighbors", generator=generator),
    }
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    for axes, (name, mix) in zip(figure.subplots(1, 2), mixes.items(), strict=True):
        partner = mix.plan(x, y).partner
        crossing = y != y[partner]
        shades = ["#555555" if crosses else COLORS[label] for crosses, label in zip(crossing, y, strict=True)]
        axes.add_collection(LineCollection(torch.stack([x, x[partner]], dim=1).numpy(), colors=shades, linewidths=0.5))
        axes.scatter(*x.T, c=[COLORS[label] for label in y], s=8, zorder=3)
        axes.set_title(name)
        axes.set_axis_off()
        print(f"{name}: {100 * crossing.float().mean():.0f} % of the segments join two classes")
    return figure


if __name__ == "__main__":
    main().savefig("draw_segments.png", dpi=110)
