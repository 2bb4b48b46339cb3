"""`localmixup inspect`: is mixup safe on a data set, and how local should it be?"""

from localmixup.lab.inspection.measure import inspect as inspect
from localmixup.lab.inspection.numbers import summary as summary
from localmixup.lab.inspection.result import LIPSCHITZ_SAMPLES as LIPSCHITZ_SAMPLES
from localmixup.lab.inspection.result import Inspection as Inspection
from localmixup.lab.inspection.wording import class_name as class_name
from localmixup.lab.inspection.wording import coincident as coincident
from localmixup.lab.inspection.wording import percent as percent
from localmixup.lab.inspection.wording import reasons as reasons

__all__ = ["LIPSCHITZ_SAMPLES", "Inspection", "class_name", "coincident", "inspect", "percent", "reasons", "summary"]
