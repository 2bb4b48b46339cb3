"""Names that options accept, for checks that must not load what the names stand for.

The registries themselves import PyTorch. A test keeps these tables equal to them.
"""

METHODS = (
    "local-threshold", "local-exponential", "local-knn", "within-class", "between-class",
    "adamixup", "c-mixup", "k-mixup", "regmixup", "manifold-mixup", "manifold-local", "warping-mixup", "cutmix",
)  # fmt: skip
"""Further methods that `compare` accepts: those of `localmixup.lab.methods.METHODS` that are not only for the paper."""

ALWAYS = ("vanilla", "mixup", "local")
"""What `compare` compares in any case."""

MODELS = (
    "mlp", "mlp3-softmax", "mlp-leaky", "lenet5", "lenet5-conv3", "resnet", "resnet18", "preact-resnet18",
    "densenet-bc", "mnist-cnn",
)  # fmt: skip
"""Models of `localmixup.lab.models.MODELS`."""

OPTIMIZERS = ("adamw", "adam", "sgd", "nesterov")
"""Optimisers of `localmixup.lab.runs.optimizers.OPTIMIZERS`."""

AUGMENTATIONS = ("none", "crop", "crop-flip", "crop-flip-batch")
"""Augmentations of `localmixup.lab.data.augmentation.AUGMENTATIONS`."""

ITEMS = (
    "figure1", "figure3", "figure4", "spiral-draws", "figure5", "table1", "table2", "adamixup", "figure6", "classes",
    "table3", "figure7", "regression",
)  # fmt: skip
"""Items of `localmixup.lab.paper.ITEMS`."""

PROTOCOLS = ("paper", "published", "controlled")
"""Protocols of `localmixup.lab.paper.protocols.PROTOCOLS`."""

SCALES = ("smoke", "cpu", "gpu", "full")
"""Scales of `localmixup.lab.paper.protocols.SCALES`."""

BACKENDS = ("loky", "dask")
"""Backends of `localmixup.lab.runs.engine.BACKENDS`."""
