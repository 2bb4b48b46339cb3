"""Turn images into features of a small network that was trained on other rows, for `localmixup benchmark`.

    python benchmarks/image_features.py [--data-root FOLDER]

Of MNIST, Fashion-MNIST and CIFAR-10 a LeNet-5 is trained without mixup on 20,000 of the rows that the suite does not
use; then 2,500 of those that it uses are described by the 84 values before its last layer. Both are kept in
`results/benchmark/features`, in half precision, because another machine would round differently and find other sets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from localmixup.lab.benchmark.suite import POOL
from localmixup.lab.data.sources import load
from localmixup.lab.data.suite import FEATURES, FEATURES_FOLDER, kept_rows
from localmixup.lab.models import build_model

ROWS, EPOCHS, BATCH = 20_000, 6, 100


def features_of(name: str, data_root: Path | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Train on some rows and describe others; return features, classes, and the accuracy on the latter."""
    data = load(name, data_root=data_root)
    kept = kept_rows(len(data.x))
    other = np.setdiff1d(np.arange(len(data.x)), kept)
    rng = np.random.default_rng(1)
    train, described = rng.permutation(other)[:ROWS], np.sort(rng.permutation(kept)[:POOL])
    x, y = torch.from_numpy(data.x[train]).float(), torch.from_numpy(data.y[train])
    mean, deviation = x.mean(dim=(0, 2, 3), keepdim=True), x.std(dim=(0, 2, 3), keepdim=True)
    x = (x - mean) / deviation
    torch.manual_seed(0)
    model = build_model("lenet5", tuple(x.shape[1:]), data.outputs)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(x) // BATCH)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        shown = (torch.from_numpy(data.x[described]).float() - mean) / deviation
        values = model[:-1](shown)
        right = model[-1](values).argmax(1).numpy() == data.y[described]
    return values.numpy().astype(np.float16), data.y[described].astype(np.uint8), float(right.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()
    FEATURES_FOLDER.mkdir(parents=True, exist_ok=True)
    for name, images in FEATURES.items():
        x, y, accuracy = features_of(images, options.data_root)
        np.savez_compressed(FEATURES_FOLDER / f"{name}.npz", x=x, y=y)
        print(f"{name}: {x.shape[0]} rows of {x.shape[1]} features; its network is right on {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
