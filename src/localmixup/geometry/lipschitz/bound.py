"""The exact curve radius -> Q(D) in one pass; see `localmixup.geometry.lipschitz` for what Q is."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from localmixup._validate import check_choice, check_integer, check_number
from localmixup.geometry._inputs import check_samples
from localmixup.geometry._progress import Progress, run_to_end
from localmixup.geometry.lipschitz.checkpoint import Checkpoint
from localmixup.geometry.lipschitz.classes import Classes
from localmixup.geometry.lipschitz.curve import LipschitzCurve, Witness
from localmixup.geometry.lipschitz.hulls import least_hull_distance
from localmixup.geometry.lipschitz.sample_search import add_sampled_pairs, search_samples, search_segments_of_samples
from localmixup.geometry.lipschitz.scan import Search
from localmixup.geometry.lipschitz.segment_search import search_pairs_of_segments

KINDS = ("point", "segment", "segments")


def lipschitz_lower_bound(
    x: Any,
    labels: Any,
    *,
    kind: str = "segment",
    n_jobs: int | None = None,
    backend: str = "auto",
    time_limit: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> LipschitzCurve:
    """Return the curve radius -> Q(D) (Theorem 4.6, Fig. 5), with the samples behind each step.

    See `lipschitz_lower_bound_steps` for a version that reports its progress.

    Args:
        x: samples, shape `(m, ...)`, finite; distances are Euclidean on the flattened values.
        labels: class of each sample, shape `(m,)`, at least two classes.
        kind: `"point"`, `"segment"` or `"segments"`, see `localmixup.geometry.lipschitz`.
        n_jobs: number of threads; None is the number of cores.
        backend: `"numba"` (the extra `geometry`), `"torch"` (the same numbers, slower), or `"auto"`.
        time_limit: seconds after which `"segments"` returns what is proved by then; None is no limit.
        checkpoint: file in which `"segments"` saves its progress, so that the same call can continue later.

    Returns:
        The curve, in tensors if `x` is a tensor, else in arrays. It is exact, except for `"segments"` stopped by
        `time_limit`; see `LipschitzCurve.exact_below`.

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, there is only one class, or the checkpoint belongs
            to other data.

    >>> curve = lipschitz_lower_bound(torch.tensor([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0]]), [0, 0, 1])
    >>> curve.radius, curve.value.round(decimals=4)
    (tensor([0., 4.], dtype=torch.float64), tensor([0.4472, 1.0000], dtype=torch.float64))
    """
    steps = lipschitz_lower_bound_steps(
        x, labels, kind=kind, n_jobs=n_jobs, backend=backend, time_limit=time_limit, checkpoint=checkpoint
    )
    return run_to_end(steps)


def lipschitz_lower_bound_steps(
    x: Any,
    labels: Any,
    *,
    kind: str = "segment",
    n_jobs: int | None = None,
    backend: str = "auto",
    time_limit: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Generator[Progress, None, LipschitzCurve]:
    """Do the work of `lipschitz_lower_bound` step by step; same arguments.

    Yields:
        The number of triples of samples searched (pairs for `"point"`).

    Returns:
        The curve.
    """
    check_choice("kind", kind, KINDS)
    n_jobs = os.cpu_count() or 1 if n_jobs is None else check_integer("n_jobs", n_jobs, low=1)
    limit = np.inf if time_limit is None else check_number("time_limit", time_limit, low=0)
    features, given = check_samples(x, labels)
    classes = Classes(features, given)
    search = Search(classes, n_jobs=n_jobs, backend=backend)
    started = time.monotonic()
    add_sampled_pairs(search)
    if kind == "point":
        yield from search_samples(search)
        return _like(search.staircase.curve(kind), x)
    yield from search_segments_of_samples(search)
    curve = search.staircase.curve("segment")
    if kind == "segment":
        return _like(curve, x)
    saved = None if checkpoint is None else Checkpoint(Path(checkpoint), features, given)
    hull_distance = 0.0
    if limit < np.inf and curve.distance[-1] > 0:
        hull_distance = least_hull_distance([classes.points(rows) for rows in classes.members])
    exact_below = yield from search_pairs_of_segments(search, started + limit, saved)
    if exact_below == np.inf:
        return _like(search.staircase.curve(kind), x)
    return _like(search.staircase.curve(kind, exact_below, curve, hull_distance), x)


def _like(curve: LipschitzCurve, x: Any) -> LipschitzCurve:
    """Return the curve in tensors if `x` is a tensor."""
    if not isinstance(x, Tensor):
        return curve
    parts: dict[str, Any] = {name: torch.from_numpy(getattr(curve, name)) for name in ("radius", "distance", "value")}
    witness = Witness(*(torch.from_numpy(np.ascontiguousarray(part)) for part in curve.witness))
    return curve._replace(**parts, witness=witness)
