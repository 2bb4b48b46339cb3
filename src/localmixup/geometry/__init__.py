"""What mixup does to a data set: how often it intrudes on other classes, and how steep it makes a network."""

from localmixup.geometry.curve import LipschitzCurve, Witness
from localmixup.geometry.intrusion import IntrusionReport, Rate, Rates, VirtualSamples, intrusion
from localmixup.geometry.lipschitz import lipschitz_lower_bound
from localmixup.geometry.shape import ClassShape, class_shapes
from localmixup.geometry.suggestion import Choice, Suggestion, suggest

__all__ = [
    "Choice",
    "ClassShape",
    "IntrusionReport",
    "LipschitzCurve",
    "Rate",
    "Rates",
    "Suggestion",
    "VirtualSamples",
    "Witness",
    "class_shapes",
    "intrusion",
    "lipschitz_lower_bound",
    "suggest",
]
