"""Q(D), a lower bound of the Lipschitz constant of any network that fits its real and virtual samples (Theorem 4.6).

Let S(radius) be the segments between two samples of one class at a distance of at most the radius. The two samples may
be the same, so each sample is a segment of length 0. Q is one over the smallest distance of

- `"point"`: two samples of different classes. This is vanilla training and does not depend on the radius.
- `"segment"`: a sample and a segment of another class, as in the paper's Fig. 5.
- `"segments"`: two segments of different classes, both in S(radius). This is the set of Theorem 4.6 itself.

Q is a lower bound only for a network that fits all those samples exactly.
"""

from localmixup.geometry.lipschitz.bound import lipschitz_lower_bound as lipschitz_lower_bound
from localmixup.geometry.lipschitz.bound import lipschitz_lower_bound_steps as lipschitz_lower_bound_steps
from localmixup.geometry.lipschitz.curve import LipschitzCurve as LipschitzCurve
from localmixup.geometry.lipschitz.curve import Witness as Witness

__all__ = ["LipschitzCurve", "Witness", "lipschitz_lower_bound", "lipschitz_lower_bound_steps"]
