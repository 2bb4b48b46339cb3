"""Local Mixup with Accelerate: two spirals, pairs across all processes, gradients accumulated over two batches.

Run it with `torchrun --nproc_per_node 2 examples/accelerate_loop.py`, or with `python` for one process. It takes a few
seconds.
"""

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader, TensorDataset

from localmixup import CompleteGraph, ThresholdGraph
from localmixup.distributed import DistributedLocalMixup


def spirals(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    angle = torch.rand(n, generator=generator).sqrt() * 9
    arm = torch.stack([-angle.cos() * angle, angle.sin() * angle], dim=1)
    x = torch.cat([arm, -arm]) + 0.3 * torch.randn(2 * n, 2, generator=generator)
    return x / x.std(), torch.arange(2).repeat_interleave(n)


def main(epochs: int = 40) -> dict[str, float]:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    (x, y), (x_test, y_test) = spirals(500, seed=0), spirals(500, seed=1)
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(x, kept_share=0.1)}
    errors = {}
    for name, graph in graphs.items():
        set_seed(0)
        linear = torch.nn.Linear
        model = torch.nn.Sequential(linear(2, 100), torch.nn.ReLU(), linear(100, 100), torch.nn.ReLU(), linear(100, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        loader = DataLoader(TensorDataset(x, y), batch_size=100 // accelerator.num_processes, shuffle=True)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        mix = DistributedLocalMixup(graph, gather=True, seed=0)
        accelerator.register_for_checkpointing(mix)  # save_state and load_state include its draws
        for _ in range(epochs):
            for source, targets in loader:
                with accelerator.accumulate(model):
                    batch = mix(source, targets)
                    loss = batch.loss(F.cross_entropy, model(batch.inputs))
                    accelerator.backward(loss)
                    optimizer.step()
                    optimizer.zero_grad()
        logged = accelerator.reduce(loss.detach(), "mean")  # on every process, because it communicates
        errors[name] = float((model(x_test).argmax(1) != y_test).float().mean()) * 100
        accelerator.print(f"{name}: last loss {logged:.3f}, {accelerator.num_processes} processes")
    accelerator.end_training()
    return errors


if __name__ == "__main__":
    print(main())
