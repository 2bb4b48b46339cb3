"""Shape annotations, checked in the tests and free of cost elsewhere.

`jaxtyping` is no dependency of the library: outside the tests its names are empty stand-ins, and since annotations
are never evaluated there, nothing is lost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or os.environ.get("LOCALMIXUP_CHECK_SHAPES"):
    from jaxtyping import Bool as Bool
    from jaxtyping import Float as Float
    from jaxtyping import Int as Int
else:

    class _Unchecked:
        def __class_getitem__(cls, item: Any) -> Any:
            return item[0]

    Bool = Float = Int = _Unchecked
