"""Local Mixup with DistributedDataParallel: two spirals, pairs across all ranks.

Run it with `torchrun --nproc_per_node 2 examples/ddp_loop.py`, or with `python` for one process. It takes a few
seconds.
"""

import os

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from localmixup import CompleteGraph, ThresholdGraph
from localmixup.distributed import DistributedLocalMixup, mean_over_ranks


def spirals(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    angle = torch.rand(n, generator=generator).sqrt() * 9
    arm = torch.stack([-angle.cos() * angle, angle.sin() * angle], dim=1)
    x = torch.cat([arm, -arm]) + 0.3 * torch.randn(2 * n, 2, generator=generator)
    return x / x.std(), torch.arange(2).repeat_interleave(n)


def train(graph: object, x: torch.Tensor, y: torch.Tensor, epochs: int) -> torch.nn.Module:
    torch.manual_seed(0)
    linear = torch.nn.Linear
    model = torch.nn.Sequential(linear(2, 100), torch.nn.ReLU(), linear(100, 100), torch.nn.ReLU(), linear(100, 2))
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    sampler = DistributedSampler(TensorDataset(x, y), seed=0)
    loader = DataLoader(TensorDataset(x, y), batch_size=100 // dist.get_world_size(), sampler=sampler)
    mix = DistributedLocalMixup(graph, gather=True, seed=0)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for source, targets in loader:
            batch = mix(source, targets)
            loss = batch.loss(F.cross_entropy, ddp(batch.inputs))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        logged = mean_over_ranks(loss)  # on every rank, because it communicates
    if dist.get_rank() == 0:
        print(f"{graph}: loss {logged:.3f} in the last batch, over {dist.get_world_size()} ranks")
    return model


def main(epochs: int = 40) -> dict[str, float]:
    for name, value in {"MASTER_ADDR": "localhost", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}.items():
        os.environ.setdefault(name, value)  # torchrun sets them
    dist.init_process_group("gloo")
    (x, y), (x_test, y_test) = spirals(500, seed=0), spirals(500, seed=1)
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(x, kept_share=0.1)}
    models = {name: train(graph, x, y, epochs) for name, graph in graphs.items()}
    dist.destroy_process_group()
    return {name: float((model(x_test).argmax(1) != y_test).float().mean()) * 100 for name, model in models.items()}


if __name__ == "__main__":
    print(main())
