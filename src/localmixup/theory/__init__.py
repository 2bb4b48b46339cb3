"""The paper's closed forms, as they hold: on the line, on the ring Z/nZ, and for linear models.

Each module names the paper's statement, its equation, and where it needs correcting.
"""

from localmixup.theory import line, linear_model, ring

__all__ = ["line", "linear_model", "ring"]
