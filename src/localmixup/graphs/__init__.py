"""Locality graphs: which pairs may be mixed, and how much each counts."""

from localmixup.graphs.adaptive import AdaptiveExponentialGraph as AdaptiveExponentialGraph
from localmixup.graphs.base import LocalityGraph as LocalityGraph
from localmixup.graphs.distance import DistanceGraph as DistanceGraph
from localmixup.graphs.distance import ExponentialGraph as ExponentialGraph
from localmixup.graphs.distance import ThresholdGraph as ThresholdGraph
from localmixup.graphs.ends import CompleteGraph as CompleteGraph
from localmixup.graphs.ends import IdentityGraph as IdentityGraph
from localmixup.graphs.nearest_of import NearestOfGraph as NearestOfGraph
from localmixup.graphs.rank import KNNGraph as KNNGraph
