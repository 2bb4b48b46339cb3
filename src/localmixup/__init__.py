"""Local Mixup: interpolation of the closest samples only, so that mixup does not cross other classes."""

from typing import Any

from localmixup.adaptive import AdaptiveExponentialGraph as AdaptiveExponentialGraph
from localmixup.batch import MixedBatch as MixedBatch
from localmixup.batch import MixPlan as MixPlan
from localmixup.batch import effective_sample_size as effective_sample_size
from localmixup.calibration import Calibration as Calibration
from localmixup.calibration import calibrate as calibrate
from localmixup.graphs import CompleteGraph as CompleteGraph
from localmixup.graphs import ExponentialGraph as ExponentialGraph
from localmixup.graphs import IdentityGraph as IdentityGraph
from localmixup.graphs import KNNGraph as KNNGraph
from localmixup.graphs import LocalityGraph as LocalityGraph
from localmixup.graphs import ThresholdGraph as ThresholdGraph
from localmixup.learned import LearnedMetric as LearnedMetric
from localmixup.manifold import ManifoldLocalMixup as ManifoldLocalMixup
from localmixup.mixing import LocalMixup as LocalMixup
from localmixup.pairs import PairDataset as PairDataset
from localmixup.pairs import PairSampler as PairSampler
from localmixup.pasting import cutmix as cutmix
from localmixup.schedules import MixingSchedule as MixingSchedule
from localmixup.sequences import masked_features as masked_features
from localmixup.sequences import mix_sequences as mix_sequences

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The rooms `geometry` and `theory`, loaded on first use."""
    if name in ("geometry", "theory"):
        import importlib

        return importlib.import_module(f"localmixup.{name}")
    raise AttributeError(f"module 'localmixup' has no attribute {name!r}")
