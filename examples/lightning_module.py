"""Local Mixup in a `LightningModule`: the module of Lightning's own image classifier, with three lines changed.

Run it with `python examples/lightning_module.py`. It takes a few seconds and needs `pip install -e '.[lightning]'`.
"""

import logging
import warnings

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

from localmixup import CompleteGraph, LocalMixup, ThresholdGraph
from localmixup.integrations.lightning import LocalMixupMixin

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", ".*does not have many workers.*")


class LitClassifier(LocalMixupMixin, L.LightningModule):
    """Lightning's own classifier, except for the bases, `self.mix` and `training_step`."""

    def __init__(self, backbone, graph):
        super().__init__()
        self.backbone = backbone
        self.mix = LocalMixup(graph)

    def forward(self, x):
        """Return the class scores, shape `(n, 10)`."""
        return self.backbone(x)

    def training_step(self, batch, batch_idx):
        """Mix the batch, run the model and weight the loss."""
        loss, outputs, mixed = self.mixed_step(batch, F.cross_entropy)
        self.log("train_acc", mixed.accuracy(outputs))
        return loss

    def test_step(self, batch, batch_idx):
        """Measure the error on unmixed images."""
        x, y = batch
        self.log("test_error", (self(x).argmax(1) != y).float().mean() * 100)

    def configure_optimizers(self):
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def main(epochs: int = 10) -> dict[str, float]:
    digits = load_digits()
    x, y = torch.from_numpy(digits.data).float() / 16, torch.from_numpy(digits.target).long()
    train, test = TensorDataset(x[:1000], y[:1000]), TensorDataset(x[1000:], y[1000:])
    graphs = {"mixup": CompleteGraph(), "local mixup": ThresholdGraph.fit(x[:1000], kept_share=0.3)}
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    errors = {}
    for name, graph in graphs.items():
        L.seed_everything(0, verbose=False)
        backbone = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
        model = LitClassifier(backbone, graph)
        trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", enable_model_summary=False, **quiet)
        trainer.fit(model, DataLoader(train, batch_size=64, shuffle=True))
        errors[name] = trainer.test(model, DataLoader(test, batch_size=256), verbose=False)[0]["test_error"]
        print(f"{name}: test error {errors[name]:.1f} %")
    return errors


if __name__ == "__main__":
    main()
