"""`localmixup inspect`: is mixup safe on a data set, and how local should it be?"""

from localmixup.lab.inspection.measure import inspect as inspect
from localmixup.lab.inspection.numbers import summary as summary
from localmixup.lab.inspection.percents import percent as percent
from localmixup.lab.inspection.result import LIPSCHITZ_SAMPLES as LIPSCHITZ_SAMPLES
from localmixup.lab.inspection.result import Inspection as Inspection
from localmixup.lab.inspection.suggestions import Suggested as Suggested
from localmixup.lab.inspection.verdict import Verdict as Verdict
from localmixup.lab.inspection.wording import class_name as class_name
from localmixup.lab.inspection.wording import coincident as coincident
from localmixup.lab.inspection.wording import describe_recipe as describe_recipe
from localmixup.lab.inspection.wording import limits as limits

__all__ = [
    "LIPSCHITZ_SAMPLES", "Inspection", "Suggested", "Verdict", "class_name", "coincident", "describe_recipe", "inspect",
    "limits", "percent", "summary",
]  # fmt: skip
