"""Local Mixup in plain PyTorch with a DataLoader: batches mixed by its workers, or pairs of the whole training set.

Run it with `python examples/dataloader.py`. It takes a few seconds. `train` is the loop of PyTorch's quickstart.
"""

import tempfile

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from localmixup import KNNGraph, LocalMixup, PairDataset, PairSampler, ThresholdGraph


def train(dataloader: DataLoader, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model.train()
    for batch in dataloader:
        loss = batch.loss(F.cross_entropy, model(batch.inputs))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def main(num_workers: int = 0) -> dict[str, float]:
    digits = load_digits()
    x, y = torch.from_numpy(digits.data).float() / 16, torch.from_numpy(digits.target).long()
    training_data, x_test, y_test = TensorDataset(x[:1000], y[:1000]), x[1000:], y[1000:]

    mix = LocalMixup(
        ThresholdGraph.fit(x[:1000], kept_share=0.1), outside="unmix", generator=torch.Generator().manual_seed(0)
    )
    in_batches = DataLoader(
        training_data, batch_size=64, shuffle=True, collate_fn=mix.collate_fn, num_workers=num_workers
    )
    with tempfile.TemporaryDirectory() as folder:  # use a permanent folder to search only once
        sampler = PairSampler(
            x[:1000],
            KNNGraph(10),
            batch_size=64,
            mixed_share=0.5,
            cache=folder,
            generator=torch.Generator().manual_seed(0),
        )
    pairs = DataLoader(
        PairDataset(training_data), batch_sampler=sampler, collate_fn=mix.collate_pairs, num_workers=num_workers
    )

    errors = {}
    for name, dataloader in (("mixed in the batch", in_batches), ("pairs of the whole set", pairs)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(5):
            train(dataloader, model, optimizer)
        errors[name] = float((model(x_test).argmax(1) != y_test).float().mean()) * 100
        print(f"{name}: test error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main(num_workers=2)
