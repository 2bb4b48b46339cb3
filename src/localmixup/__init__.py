"""Local Mixup: mix each sample with its neighbours only, so that mixed samples do not cross other classes.

Names are imported on first use, so that `import localmixup` and the command line start without loading PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localmixup import geometry as geometry
    from localmixup import theory as theory
    from localmixup._batch import MixedBatch as MixedBatch
    from localmixup._batch import MixPlan as MixPlan
    from localmixup._batch import effective_sample_size as effective_sample_size
    from localmixup._mixup import LocalMixup as LocalMixup
    from localmixup._validate import ArgumentError as ArgumentError
    from localmixup.extras.cutmix import cutmix as cutmix
    from localmixup.extras.hidden import ManifoldLocalMixup as ManifoldLocalMixup
    from localmixup.extras.learned import LearnedMetric as LearnedMetric
    from localmixup.extras.schedules import MixingSchedule as MixingSchedule
    from localmixup.extras.sequences import masked_features as masked_features
    from localmixup.extras.sequences import mix_sequences as mix_sequences
    from localmixup.graphs.adaptive import AdaptiveExponentialGraph as AdaptiveExponentialGraph
    from localmixup.graphs.base import CompleteGraph as CompleteGraph
    from localmixup.graphs.base import ExponentialGraph as ExponentialGraph
    from localmixup.graphs.base import IdentityGraph as IdentityGraph
    from localmixup.graphs.base import KNNGraph as KNNGraph
    from localmixup.graphs.base import LocalityGraph as LocalityGraph
    from localmixup.graphs.base import ThresholdGraph as ThresholdGraph
    from localmixup.graphs.fit import Calibration as Calibration
    from localmixup.graphs.fit import calibrate as calibrate
    from localmixup.sampling.pairs import PairDataset as PairDataset
    from localmixup.sampling.pairs import PairSampler as PairSampler

__version__ = "0.2.0"

_HOMES = {
    "_batch": ("MixedBatch", "MixPlan", "effective_sample_size"),
    "_mixup": ("LocalMixup",),
    "_validate": ("ArgumentError",),
    "extras.cutmix": ("cutmix",),
    "extras.hidden": ("ManifoldLocalMixup",),
    "extras.learned": ("LearnedMetric",),
    "extras.schedules": ("MixingSchedule",),
    "extras.sequences": ("masked_features", "mix_sequences"),
    "graphs.adaptive": ("AdaptiveExponentialGraph",),
    "graphs.base": (
        "CompleteGraph", "ExponentialGraph", "IdentityGraph", "KNNGraph", "LocalityGraph", "ThresholdGraph",
    ),
    "graphs.fit": ("Calibration", "calibrate"),
    "sampling.pairs": ("PairDataset", "PairSampler"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_SUBMODULES = ("geometry", "theory")

__all__ = ["__version__", *sorted(_HOME_OF), *_SUBMODULES]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name in _HOME_OF:
        value = getattr(importlib.import_module(f"localmixup.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"localmixup.{name}")
    raise AttributeError(f"module 'localmixup' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
