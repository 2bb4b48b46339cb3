"""Local Mixup: interpolation of the closest samples only, so that mixup does not cross other classes."""

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
from localmixup.mixing import LocalMixup as LocalMixup
from localmixup.pairs import PairDataset as PairDataset
from localmixup.pairs import PairSampler as PairSampler

__version__ = "0.1.0"
