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
    from localmixup._batch import ess_ratio as ess_ratio
    from localmixup._mixup import LocalMixup as LocalMixup
    from localmixup._validate import ArgumentError as ArgumentError
    from localmixup.extras.cutmix import cutmix as cutmix
    from localmixup.extras.cutmix import cutmix_masks as cutmix_masks
    from localmixup.extras.hidden import ManifoldLocalMixup as ManifoldLocalMixup
    from localmixup.extras.learned import LearnedMetric as LearnedMetric
    from localmixup.extras.schedules import MixingSchedule as MixingSchedule
    from localmixup.extras.sequences import masked_mean as masked_mean
    from localmixup.extras.sequences import mix_sequences as mix_sequences
    from localmixup.geometry.recommendation import recommend as recommend
    from localmixup.graphs import AdaptiveExponentialGraph as AdaptiveExponentialGraph
    from localmixup.graphs import CompleteGraph as CompleteGraph
    from localmixup.graphs import DistanceGraph as DistanceGraph
    from localmixup.graphs import ExponentialGraph as ExponentialGraph
    from localmixup.graphs import IdentityGraph as IdentityGraph
    from localmixup.graphs import KNNGraph as KNNGraph
    from localmixup.graphs import LocalityGraph as LocalityGraph
    from localmixup.graphs import NearestOfGraph as NearestOfGraph
    from localmixup.graphs import ThresholdGraph as ThresholdGraph
    from localmixup.graphs.fit import FittedGraph as FittedGraph
    from localmixup.graphs.fit import fit_graph as fit_graph
    from localmixup.sampling import NeighborLists as NeighborLists
    from localmixup.sampling import PairDataset as PairDataset
    from localmixup.sampling import PairSampler as PairSampler

__version__ = "0.2.0"

_HOME = {
    "MixedBatch": "_batch",
    "MixPlan": "_batch",
    "ess_ratio": "_batch",
    "LocalMixup": "_mixup",
    "ArgumentError": "_validate",
    "cutmix": "extras.cutmix",
    "cutmix_masks": "extras.cutmix",
    "ManifoldLocalMixup": "extras.hidden",
    "LearnedMetric": "extras.learned",
    "MixingSchedule": "extras.schedules",
    "masked_mean": "extras.sequences",
    "mix_sequences": "extras.sequences",
    "recommend": "geometry.recommendation",
    "AdaptiveExponentialGraph": "graphs",
    "CompleteGraph": "graphs",
    "DistanceGraph": "graphs",
    "ExponentialGraph": "graphs",
    "IdentityGraph": "graphs",
    "KNNGraph": "graphs",
    "LocalityGraph": "graphs",
    "NearestOfGraph": "graphs",
    "ThresholdGraph": "graphs",
    "FittedGraph": "graphs.fit",
    "fit_graph": "graphs.fit",
    "NeighborLists": "sampling",
    "PairDataset": "sampling",
    "PairSampler": "sampling",
}

__all__ = [
    "AdaptiveExponentialGraph",
    "ArgumentError",
    "CompleteGraph",
    "DistanceGraph",
    "ExponentialGraph",
    "FittedGraph",
    "IdentityGraph",
    "KNNGraph",
    "LearnedMetric",
    "LocalMixup",
    "LocalityGraph",
    "ManifoldLocalMixup",
    "MixPlan",
    "MixedBatch",
    "MixingSchedule",
    "NearestOfGraph",
    "NeighborLists",
    "PairDataset",
    "PairSampler",
    "ThresholdGraph",
    "__version__",
    "cutmix",
    "cutmix_masks",
    "ess_ratio",
    "fit_graph",
    "masked_mean",
    "mix_sequences",
    "recommend",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name in _HOME:
        value = getattr(importlib.import_module(f"localmixup.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in ("geometry", "theory"):
        return importlib.import_module(f"localmixup.{name}")
    raise AttributeError(f"module 'localmixup' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "geometry", "theory"})
