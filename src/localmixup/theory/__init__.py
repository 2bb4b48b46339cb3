"""The paper's closed forms as they hold: on the line, on the ring Z/nZ, and for linear models.

Each module names the paper's statement and equation, and says where it needs a correction.
"""

from localmixup.theory import line as line
from localmixup.theory import linear_model as linear_model
from localmixup.theory import ring as ring

__all__ = ["line", "linear_model", "ring"]
