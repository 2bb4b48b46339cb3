"""Code to paste into a training script, for each framework."""

from __future__ import annotations

import textwrap

from localmixup import CompleteGraph, LocalMixup
from localmixup._validate import check_choice
from localmixup.lab.handover.recipe import Recipe, as_mix, constructor, mixes_nothing, written_out

FRAMEWORKS = {
    "pytorch": "PyTorch",
    "sklearn": "scikit-learn",
    "lightning": "Lightning",
    "transformers": "Hugging Face Trainer",
    "keras": "Keras",
}
"""Every framework by its short name, with the name that readers know."""

NOTHING = "# Nothing is needed: train as you do now, without mixup.\n"

_INPUTS_OF = {
    "pytorch": "the inputs as the model gets them",
    "lightning": "the inputs as the model gets them",
    "transformers": "pixel values as the model gets them, for texts the mean token embeddings",
    "keras": "the inputs as the model gets them",
}

_PYTORCH = """
import torch.nn.functional as F
from localmixup import {names}

{note}mix = {recipe}

for x, y in loader:
    batch = mix(x, y)
    loss = batch.loss(F.{loss}, model(batch.inputs))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

_SKLEARN = """
from localmixup import {names}
from localmixup.integrations.sklearn import {estimator}

{note}model = {estimator}(recipe={recipe})
model.fit(X_train, y_train)
"""

_LIGHTNING = """
import lightning as L
import torch
import torch.nn.functional as F
from localmixup import {names}
from localmixup.integrations.lightning import LocalMixupMixin


class MixedModel(LocalMixupMixin, L.LightningModule):  # the mixin stands first
    def __init__(self, network):
        super().__init__()
        self.network = network
        {note}self.mix = {recipe}

    def forward(self, x):
        return self.network(x)

    def training_step(self, batch, batch_idx):
        return self.mixed_loss(batch, F.{loss})

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


model = MixedModel(network)
L.Trainer(max_epochs=20).fit(model, train_loader)
"""

_TRANSFORMERS = """
from localmixup import {names}
from localmixup.integrations.transformers import LocalMixupTrainer

trainer = LocalMixupTrainer(
    {note}recipe={recipe},
    model=model,
    args=args,
    train_dataset=train_dataset,
)
trainer.train()
"""

_KERAS = """
from localmixup import {names}
from localmixup.integrations.keras import LocalMixupDataset

train = LocalMixupDataset(
    x_train,
    y_train,
    {note}recipe={recipe},{classes}
    batch_size=64,
)
model.compile(optimizer="adam", loss="{keras_loss}")
model.fit(train, epochs=20)
"""

_TEMPLATES = {
    "pytorch": _PYTORCH,
    "sklearn": _SKLEARN,
    "lightning": _LIGHTNING,
    "transformers": _TRANSFORMERS,
    "keras": _KERAS,
}


def snippet(recipe: Recipe, framework: str, *, task: str = "classification") -> str:
    """Return code that trains with a recipe, with its settings written out.

    The names that the reader has already are `model`, `loader` and `optimizer` for PyTorch, `X_train` and `y_train` for
    scikit-learn, `network` and `train_loader` for Lightning, `model`, `args` and `train_dataset` for the Trainer, and
    `model`, `x_train` and `y_train` for Keras.

    Args:
        recipe: a `LocalMixup`, or what its `to_config()` returned.
        framework: a key of `FRAMEWORKS`.
        task: `"classification"` or `"regression"`; decides the loss.

    Returns:
        A few lines of Python. A recipe that mixes nothing gives a comment that says so.

    Raises:
        ValueError: an unknown framework or task, an invalid configuration, or a graph of the user's own.

    >>> from localmixup import CompleteGraph, KNNGraph
    >>> print(snippet(LocalMixup(KNNGraph(share=0.2), prob=0.3), "sklearn"))
    from localmixup import KNNGraph, LocalMixup
    from localmixup.integrations.sklearn import LocalMixupClassifier
    <BLANKLINE>
    # Distances are measured on standardised columns. The estimator standardises them itself.
    model = LocalMixupClassifier(recipe=LocalMixup(KNNGraph(share=0.2), prob=0.3))
    model.fit(X_train, y_train)
    <BLANKLINE>
    """
    check_choice("framework", framework, FRAMEWORKS)
    classes = check_choice("task", task, ("classification", "regression")) == "classification"
    mix = as_mix(recipe)
    if mixes_nothing(mix):
        return NOTHING
    code = constructor(mix)
    names = [type(mix.graph).__name__] if "(" in code.removeprefix("LocalMixup(") else []
    template = _TEMPLATES[framework].removeprefix("\n")
    return template.format(
        names=", ".join(sorted([*names, "LocalMixup"])),
        recipe=code,
        note=_note(mix, framework, _indentation(template)),
        loss="cross_entropy" if classes else "mse_loss",
        keras_loss="categorical_crossentropy" if classes else "mse",
        classes="\n    num_classes=int(y_train.max()) + 1,  # so that class indices can be mixed" if classes else "",
        estimator="LocalMixupClassifier" if classes else "LocalMixupRegressor",
    )


def _indentation(template: str) -> str:
    line = next(line for line in template.splitlines() if "{note}" in line)
    return line[: len(line) - len(line.lstrip())]


def _note(mix: LocalMixup, framework: str, indentation: str) -> str:
    """Return comment lines: what distances are measured on, unless partners are random, and what is recommended."""
    recommended = f"# {written_out(mix)}, as recommended\n{indentation}" if constructor(mix) == "LocalMixup()" else ""
    if isinstance(mix.graph, CompleteGraph):
        return ""
    if framework == "sklearn":
        text = "Distances are measured on standardised columns. The estimator standardises them itself."
    else:
        text = (
            f"Distances are measured on {_INPUTS_OF[framework]}. The recipe was found on inputs of mean 0 and standard "
            "deviation 1 in each column (images: in each channel): scale yours in the same way, or other samples "
            "will be the nearest."
        )
    lines = textwrap.wrap(text, 96 - len(indentation))
    return "".join(f"# {line}\n{indentation}" for line in lines) + recommended
