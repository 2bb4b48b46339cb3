"""Small things that many tests of the core need: seeded objects, data, and statistical tests."""

import numpy as np
import torch
from scipy.stats import chi2

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, LocalMixup, ThresholdGraph

PAIRINGS = ["permutation", "flip", "within_class", "between_class", "neighbors"]
GRAPHS = [ExponentialGraph(0.3), ThresholdGraph(3.5), KNNGraph(3), CompleteGraph(), IdentityGraph()]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def seeded(graph, seed=0, **options):
    return LocalMixup(graph, generator=generator(seed), **options)


def data(n=24, shape=(2, 3), classes=4, seed=0):
    g = generator(seed)
    return torch.randn(n, *shape, generator=g), torch.randint(classes, (n,), generator=g)


def same_bits(a, b):
    view = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    return torch.equal(a.contiguous().view(view), b.contiguous().view(view))


def p_value(counts, expected):
    """Return the p-value of Pearson's chi-squared test, with one degree of freedom less per row of the table.

    Args:
        counts: observed counts, one distribution per row.
        expected: expected counts. Where they are 0, nothing may be counted.
    """
    counts, expected = np.atleast_2d(np.asarray(counts, float)), np.atleast_2d(np.asarray(expected, float))
    if counts[expected == 0].sum():
        return 0.0
    allowed = expected > 0
    statistic = ((counts - expected)[allowed] ** 2 / expected[allowed]).sum()
    return float(chi2.sf(statistic, df=max(1, int(allowed.sum()) - len(counts))))
