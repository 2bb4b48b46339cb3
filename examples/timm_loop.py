"""Local Mixup in a timm training loop, instead of timm's `Mixup`. timm itself is not needed to run this.

Run it with `python examples/timm_loop.py`. It takes a few seconds. The loop is that of timm's `train.py`.
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from localmixup import CompleteGraph, ThresholdGraph
from localmixup.integrations.timm import TimmLocalMixup


def soft_target_cross_entropy(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The formula of `timm.loss.SoftTargetCrossEntropy`."""
    return torch.sum(-target * F.log_softmax(x, dim=-1), dim=-1).mean()


def main() -> dict[str, float]:
    digits = load_digits()
    images, labels = torch.from_numpy(digits.images)[:, None].float() / 16, torch.from_numpy(digits.target).long()
    x, y, x_test, y_test = images[:1000], labels[:1000], images[1000:], labels[1000:]
    # what train.py passes on for --mixup 0.8 --cutmix 1.0 --mixup-prob 0.5 --smoothing 0.1
    mixup_args = {"mixup_alpha": 0.8, "cutmix_alpha": 1.0, "prob": 0.5, "label_smoothing": 0.1, "num_classes": 10}
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(x, kept_share=0.3)}
    errors = {}
    for name, graph in graphs.items():
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(256, 10),
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        mixup_fn = TimmLocalMixup(graph, **mixup_args, generator=torch.Generator().manual_seed(0))
        train_loss_fn = soft_target_cross_entropy
        mixup_fn.check_loss(train_loss_fn)
        for epoch in range(12):
            mixup_fn.mixup_enabled = epoch < 10  # --mixup-off-epoch 10
            for rows in torch.randperm(len(x)).split(64):
                inputs, target = mixup_fn(x[rows], y[rows])
                loss = train_loss_fn(model(inputs), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            errors[name] = float((model(x_test).argmax(1) != y_test).float().mean()) * 100
        print(f"{name}: test error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main()
