"""What mixup does to a data set: how often it intrudes on other classes, and how steep it makes a network."""

from localmixup.geometry.curve import LipschitzCurve, Witness
from localmixup.geometry.lipschitz import lipschitz_lower_bound

__all__ = ["LipschitzCurve", "Witness", "lipschitz_lower_bound"]
