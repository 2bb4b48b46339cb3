"""`LocalMixupTransform` instead of `v2.MixUp`, in the workers of a DataLoader. torchvision is not needed to run this.

Run it with `python examples/torchvision_collate.py`. It takes a few seconds.
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, default_collate

from localmixup import CompleteGraph, ThresholdGraph
from localmixup.integrations.torchvision import LocalMixupTransform

NUM_CLASSES = 10


def main(epochs: int = 8) -> dict[str, float]:
    digits = load_digits()
    images, labels = torch.from_numpy(digits.images)[:, None].float() / 16, torch.from_numpy(digits.target).long()
    dataset, x_test, y_test = TensorDataset(images[:1000], labels[:1000]), images[1000:], labels[1000:]
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(images[:1000], kept_share=0.3)}
    errors = {}
    for name, graph in graphs.items():
        torch.manual_seed(0)
        mixup = LocalMixupTransform(graph, num_classes=NUM_CLASSES, generator=torch.Generator().manual_seed(0))
        mixup.check_loss(F.cross_entropy)

        def collate_fn(batch, mixup=mixup):
            return mixup(*default_collate(batch))

        dataloader = DataLoader(dataset, batch_size=64, shuffle=True, num_workers=1, collate_fn=collate_fn)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(256, 10),
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(epochs):
            for inputs, targets in dataloader:
                loss = F.cross_entropy(model(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            errors[name] = float((model(x_test).argmax(1) != y_test).float().mean()) * 100
        print(f"{name}: test error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main()
