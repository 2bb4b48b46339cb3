"""What mixup does to a data set: how often it intrudes on other classes, and how steep it makes a network."""

from localmixup.geometry._progress import Progress as Progress
from localmixup.geometry.effect import Effect as Effect
from localmixup.geometry.effect import effect_of as effect_of
from localmixup.geometry.intruding import intrusion as intrusion
from localmixup.geometry.intruding import intrusion_steps as intrusion_steps
from localmixup.geometry.intrusion_report import IntrusionReport as IntrusionReport
from localmixup.geometry.lipschitz import LipschitzCurve as LipschitzCurve
from localmixup.geometry.lipschitz import Witness as Witness
from localmixup.geometry.lipschitz import lipschitz_lower_bound as lipschitz_lower_bound
from localmixup.geometry.lipschitz import lipschitz_lower_bound_steps as lipschitz_lower_bound_steps
from localmixup.geometry.rates import Rate as Rate
from localmixup.geometry.rates import Rates as Rates
from localmixup.geometry.regions import RegionReport as RegionReport
from localmixup.geometry.regions import class_regions as class_regions
from localmixup.geometry.regions import class_regions_steps as class_regions_steps
from localmixup.geometry.shapes import ClassShape as ClassShape
from localmixup.geometry.shapes import class_shapes as class_shapes
from localmixup.geometry.shapes import class_shapes_steps as class_shapes_steps
from localmixup.geometry.target_gap import Gap as Gap
from localmixup.geometry.target_gap import TargetReport as TargetReport
from localmixup.geometry.target_gap import target_gap as target_gap
from localmixup.geometry.target_gap import target_gap_steps as target_gap_steps
from localmixup.geometry.virtual import VirtualSamples as VirtualSamples

__all__ = [
    "ClassShape",
    "Effect",
    "Gap",
    "IntrusionReport",
    "LipschitzCurve",
    "Progress",
    "Rate",
    "Rates",
    "RegionReport",
    "TargetReport",
    "VirtualSamples",
    "Witness",
    "class_regions",
    "class_regions_steps",
    "class_shapes",
    "class_shapes_steps",
    "effect_of",
    "intrusion",
    "intrusion_steps",
    "lipschitz_lower_bound",
    "lipschitz_lower_bound_steps",
    "target_gap",
    "target_gap_steps",
]
