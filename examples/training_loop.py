"""Local Mixup in a plain PyTorch loop: two spirals, classical mixup against near pairs of the whole training set.

Run it with `python examples/training_loop.py`. It takes a few seconds.
"""

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from localmixup import CompleteGraph, LocalMixup, PairDataset, PairSampler, ThresholdGraph


def spirals(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    angle = torch.rand(n, generator=generator).sqrt() * 9
    arm = torch.stack([-angle.cos() * angle, angle.sin() * angle], dim=1)
    x = torch.cat([arm, -arm]) + 0.3 * torch.randn(2 * n, 2, generator=generator)
    return x / x.std(), torch.arange(2).repeat_interleave(n)


def main() -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    (x, y), (x_test, y_test) = spirals(500, generator), spirals(500, generator)
    errors = {}
    for name, graph in (("mixup", CompleteGraph()), ("local mixup", ThresholdGraph.fit(x, kept_share=0.01))):
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(2, 100),
            torch.nn.ReLU(),
            torch.nn.Linear(100, 100),
            torch.nn.ReLU(),
            torch.nn.Linear(100, 2),
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        mix = LocalMixup(graph, generator=generator)
        sampler = PairSampler(x, graph, batch_size=50, generator=generator)
        loader = DataLoader(PairDataset(TensorDataset(x, y)), batch_sampler=sampler, collate_fn=mix.collate_pairs)
        for _ in range(20):
            for batch in loader:
                loss = batch.loss(F.cross_entropy, model(batch.inputs))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        errors[name] = float((model(x_test).argmax(1) != y_test).float().mean()) * 100
        print(f"{name}: test error {errors[name]:.1f} %, {100 * sampler.mixed_share:.0f} % of samples mixed")
    return errors


if __name__ == "__main__":
    main()
