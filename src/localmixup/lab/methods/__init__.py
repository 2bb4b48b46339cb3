"""The methods that can be compared, one file each. To add one: a file beside these and a line here."""

from localmixup.lab.methods.adamixup import AdaMixUp
from localmixup.lab.methods.base import Batch as Batch
from localmixup.lab.methods.base import Method as Method
from localmixup.lab.methods.classes import BetweenClass, WithinClass
from localmixup.lab.methods.cmixup import CMixup
from localmixup.lab.methods.cutmix import CutMix
from localmixup.lab.methods.displacement import SameDisplacement, SameDisplacementOfSet
from localmixup.lab.methods.kmixup import KMixup
from localmixup.lab.methods.local import Local as Local
from localmixup.lab.methods.local import LocalExponential, LocalKNN, LocalThreshold
from localmixup.lab.methods.manifold import ManifoldLocal, ManifoldMixup
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.methods.published import PublishedCifar, PublishedSpirals
from localmixup.lab.methods.recipe import FeatureRecipe, Recipe
from localmixup.lab.methods.regmixup import RegMixup
from localmixup.lab.methods.vanilla import Vanilla
from localmixup.lab.methods.warping import WarpingMixup

METHODS: dict[str, type[Method]] = {
    "vanilla": Vanilla,
    "mixup": Mixup,
    "local-threshold": LocalThreshold,
    "local-exponential": LocalExponential,
    "local-knn": LocalKNN,
    "within-class": WithinClass,
    "between-class": BetweenClass,
    "adamixup": AdaMixUp,
    "c-mixup": CMixup,
    "k-mixup": KMixup,
    "regmixup": RegMixup,
    "manifold-mixup": ManifoldMixup,
    "manifold-local": ManifoldLocal,
    "warping-mixup": WarpingMixup,
    "cutmix": CutMix,
    "recipe": Recipe,
    "feature-recipe": FeatureRecipe,
    "same-displacement": SameDisplacement,
    "same-displacement-of-set": SameDisplacementOfSet,
    "published-spirals": PublishedSpirals,
    "published-cifar": PublishedCifar,
}
"""Every method by its name on the command line."""

LOCAL = ("local-threshold", "local-exponential", "local-knn")
"""The methods with a graph whose parameter is chosen on the validation split."""

PUBLISHED = ("published-spirals", "published-cifar")
"""What the authors' repository runs: for `localmixup paper`, not for a comparison on other data."""
