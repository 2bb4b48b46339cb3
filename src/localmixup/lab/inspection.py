"""`localmixup inspect`: is mixup safe on these data, and how local should it be?"""

from __future__ import annotations

import math
import pickle
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from localmixup._validate import ArgumentError
from localmixup.geometry import (
    Choice,
    ClassShape,
    IntrusionReport,
    LipschitzCurve,
    Suggestion,
    class_shapes,
    intrusion,
    lipschitz_lower_bound,
    suggest,
)
from localmixup.geometry.intrusion import Rate, Rates, graph_with
from localmixup.graphs.fit import DistanceSample, sample_distances
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.sources import load

LIPSCHITZ_SAMPLES = 1000  # of a class, for Q(D): the search grows with the cube of it
Progress = Callable[[str, float, float], object]


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        data: as read.
        inputs: standardised inputs, shape `(m, ...)`, as `compare` mixes them.
        features: what distances were measured on, shape `(m, d)`.
        space: in words, what that is.
        sample: distances of random pairs.
        report: intrusion; None for regression.
        suggestion: how local to be; None for regression.
        curve: Q(D) on at most `LIPSCHITZ_SAMPLES` samples a class; None for regression.
        curve_rows: which samples those were.
        shapes: of each class, or of all samples for regression.
        verdict: one or two sentences.
        settings: of the search, by name.
    """

    data: DataSet
    inputs: Tensor
    features: Tensor
    space: str
    sample: DistanceSample
    report: IntrusionReport | None
    suggestion: Suggestion | None
    curve: LipschitzCurve | None
    curve_rows: np.ndarray
    shapes: list[ClassShape]
    verdict: str
    settings: dict[str, Any]


def inspect(
    source: str,
    *,
    target: str | None = None,
    task: str | None = None,
    data_root: Path | None = None,
    features_file: Path | None = None,
    encoder: Path | None = None,
    pca: int | None = None,
    train_size: int | None = None,
    level: float = 0.01,
    mixup_alpha: float = 1.0,
    n_nearest: int = 1,
    n_samples: int = 20_000,
    seed: int = 0,
    n_jobs: int | None = None,
    on_data: Callable[[DataSet, Tensor], object] = lambda data, features: None,
    progress: Progress = lambda what, done, total: None,
) -> Inspection:
    """Measure what mixup does to a data set.

    Args:
        source: see `localmixup.lab.data.sources.load`.
        target: see there.
        task: see there.
        data_root: see there.
        features_file: a `.npy` file with one row a sample, to measure distances on.
        encoder: a TorchScript or exported program file that maps a batch of standardised inputs to features.
        pca: measure on so many principal components.
        train_size: look at so many random rows only.
        level: wanted rate of intrusion.
        mixup_alpha: of the law of lam.
        n_nearest: nearest real samples that tell whose ground a virtual sample lies on.
        n_samples: virtual samples, about.
        seed: of all draws.
        n_jobs: threads of the search for Q(D).
        on_data: called with what was read, before the work.
        progress: called with what is being done, how much of it is, and how much it is in all.

    Raises:
        ArgumentError: something in the data or the files is not as it should be.
    """
    data = load(source, target=target, task=task, data_root=data_root)
    given = None if features_file is None else _read_features(features_file, len(data.x))
    if train_size is not None and train_size < len(data.x):
        rows = np.sort(np.random.default_rng(seed).permutation(len(data.x))[:train_size])
        data = replace(data, x=data.x[rows], y=data.y[rows])
        given = None if given is None else given[rows]
        if data.task == "classification" and len(np.unique(data.y)) < 2:
            raise ArgumentError(f"--train-size {train_size}: only one class is left")
    most = len(data.x) - 2
    if data.task == "classification" and n_nearest > most:
        raise ArgumentError(f"--nearest must be between 1 and {most} here (rows but the two mixed), got {n_nearest}")
    prepared = prepare(data, hold_out=False)
    inputs = prepared.x
    features, space = _features(inputs, given, features_file, encoder, pca, seed, progress)
    on_data(data, features)
    classes = prepared.y.numpy() if data.task == "classification" else None
    sample = sample_distances(features, classes, seed=seed)
    report = suggestion = curve = None
    used = np.arange(len(features))
    if classes is not None:
        report = intrusion(
            features, classes, mixup_alpha=mixup_alpha, n_nearest=n_nearest,
            n_samples=n_samples, seed=seed, progress=lambda done, total: progress("intrusion", done, total),
        )  # fmt: skip
        suggestion = suggest(report, level=level)
        used = _some_of_each(classes, seed)
        curve = lipschitz_lower_bound(
            features[torch.from_numpy(used)].numpy(), classes[used], n_jobs=n_jobs,
            progress=lambda done, total: progress("Lipschitz bound", done, total),
        )  # fmt: skip
    shapes = class_shapes(
        features, classes, seed=seed, progress=lambda done, total: progress("shape of the classes", done, total)
    )
    settings = {
        "level": level,
        "mixup_alpha": mixup_alpha,
        "n_nearest": n_nearest,
        "n_samples": n_samples,
        "seed": seed,
    }
    found = Inspection(data, inputs, features, space, sample, report, suggestion, curve, used, shapes, "", settings)
    return replace(found, verdict=verdict_of(found))


def verdict_of(found: Inspection) -> str:
    """The answer in words.

    Args:
        found: all but the verdict.
    """
    name = found.data.name
    if found.report is None or found.suggestion is None:
        return (
            f"{name} has no classes (regression), so nothing intrudes: the distances and the shape are what there is "
            f"to see. Half of the pairs are farther apart than {found.sample.median:.4g}; `localmixup compare` tells "
            "whether mixing far pairs harms."
        )
    s, overlap = found.suggestion, found.report.overlap
    mixup = s.mixup.intrusion
    spread = "" if found.report.exhaustive else f" (95 % interval {percent(mixup.low)} to {percent(mixup.high)})"
    rate = (
        f"{percent(mixup.value)}{spread} of the mixed samples lie on the ground of a class with no part in their label"
    )
    if s.safe:
        return f"Mixup is safe on {name}: {rate}, not more than the wanted {percent(s.level)}."
    if s.undecided:
        return (
            f"On {name} nearest samples do not tell in this space whether mixup is safe: {rate}, but the nearest "
            f"sample of {percent(overlap.value)} of the real samples is of another class too. Measure where nearest "
            "samples share their class: --features, --encoder or --pca."
        )
    told = f"Mixup is not safe on {name}: {rate}."
    if s.limit > s.level:
        told += (
            f" No range is known to bring that to {percent(s.level)}: the classes overlap, the nearest sample is of "
            f"another class for {percent(overlap.value)} of the real samples."
        )
    radius = s.choices.get("radius") or next(iter(s.choices.values()), None)
    if radius is None:
        return f"{told} No radius stays below {percent(s.limit)} either: train without mixup here."
    start = {"radius": "Up to a radius of", "decay": "From a decay of", "n_neighbors": "Up to n_neighbors ="}
    rates = radius.rates
    return (
        f"{told} {start[radius.parameter]} {_value(radius)} it stays at {percent(rates.intrusion.value)}, below "
        f"{percent(s.limit)}; that keeps {percent(rates.mean_weight)} of the pairs."
    )


def coincident(found: Inspection) -> str:
    """The two rows of different classes that are the same, where there are such; else empty.

    Args:
        found: by `inspect`.
    """
    if found.curve is None or found.curve.distance[0] > 0:
        return ""
    pair = found.curve_rows[[found.curve.witness.first[0, 0], found.curve.witness.second[0, 0]]]
    names = [found.data.class_names[int(found.data.y[row])] for row in pair]
    return (
        f"rows {pair[0]} ({names[0]}) and {pair[1]} ({names[1]}) are the same there, though of two classes: no network "
        "can fit both, and Q is infinite"
    )


def reasons(found: Inspection) -> list[str]:
    """A sentence for each suggested graph.

    Args:
        found: with a suggestion.
    """
    if found.suggestion is None or found.suggestion.undecided:
        return []
    s, told = found.suggestion, []
    words = {"radius": "largest radius", "decay": "smallest decay", "n_neighbors": "largest number of neighbours"}
    for parameter, word in words.items():
        choice = s.choices.get(parameter)
        if choice is None:
            told.append(f"{parameter}: none found at which intrusion is known to stay below {percent(s.limit)}")
            continue
        r = choice.rates
        told.append(
            f"{parameter} = {_value(choice)}: the {word} at which intrusion stays below {percent(s.limit)} "
            f"({percent(r.intrusion.value)}); mean weight of a pair {percent(r.mean_weight)}, contradiction "
            f"{percent(r.contradiction.value)}"
        )
    return told


def summary(found: Inspection) -> dict[str, Any]:
    """The numbers, ready for JSON.

    Args:
        found: by `inspect`.
    """
    quantiles = {f"{100 * q:g}%": found.sample.quantile(q) for q in (0.01, 0.25, 0.5, 0.75, 0.99)}
    numbers: dict[str, Any] = {
        "data": found.data.name, "task": found.data.task, "rows": len(found.features), "space": found.space,
        "verdict": found.verdict, "settings": found.settings, "distance_quantiles": quantiles,
        "shape": [
            {"class": class_name(found, s), "samples": s.n_samples, "used": s.n_used, "connected_at": s.connected_at,
             "loops": None if s.loops is None else s.loops.tolist()}
            for s in found.shapes
        ],
    }  # fmt: skip
    if found.report is not None and found.suggestion is not None and found.curve is not None:
        s = found.suggestion
        numbers |= {
            "safe": s.safe, "undecided": s.undecided, "limit": s.limit, "exhaustive": found.report.exhaustive,
            "overlap": found.report.overlap._asdict(),
            "mixup": {kind: _plain(r) for kind, r in found.report.rates(graph_with("decay", 0.0)).items()},
            "suggestion": {c.parameter: {"value": c.value, **_plain(c.rates)} for c in s.choices.values()},
            "lipschitz": {
                "coincident": coincident(found) or None, "samples": len(found.curve_rows),
                "radius": found.curve.radius.tolist(),
                "value": [float(v) for v in found.curve.value],
            },
        }  # fmt: skip
    plain: dict[str, Any] = _strict(numbers)
    return plain


def _strict(value: Any) -> Any:
    """JSON has no infinity and no NaN: `"inf"` and null stand for them."""
    if isinstance(value, dict):
        return {name: _strict(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf"
    return value


def _value(choice: Choice) -> str:
    return f"{choice.value:,.0f}" if choice.parameter == "n_neighbors" else f"{choice.value:.4g}"


def _plain(rates: Rates) -> dict[str, Any]:
    return {k: v._asdict() if isinstance(v, Rate) else v for k, v in rates._asdict().items()}


def class_name(found: Inspection, shape: ClassShape) -> str:
    """Name of the class of a shape.

    Args:
        found: by `inspect`.
        shape: one of its shapes.
    """
    return found.data.class_names[int(shape.label)] if found.data.class_names else "all samples"


def percent(value: float) -> str:
    """A rate as one prints it.

    >>> percent(0.1234), percent(0.00004), percent(0.0), percent(float("nan"))
    ('12.3 %', '0.004 %', '0 %', '-')
    """
    if value != value:
        return "-"
    return f"{100 * value:.1f} %" if value >= 0.00995 else f"{100 * value:.2g} %"


def _some_of_each(classes: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(np.flatnonzero(classes == c))[:LIPSCHITZ_SAMPLES] for c in np.unique(classes)]
    return np.sort(np.concatenate(parts))


def _features(
    inputs: Tensor,
    given: Tensor | None,
    features_file: Path | None,
    encoder: Path | None,
    pca: int | None,
    seed: int,
    progress: Progress,
) -> tuple[Tensor, str]:
    chosen = [
        name for name, value in (("--features", given), ("--encoder", encoder), ("--pca", pca)) if value is not None
    ]
    if len(chosen) > 1:
        raise ArgumentError(f"{' and '.join(chosen)}: give one of them")
    if given is not None:
        return given, f"the features of {features_file}"
    if encoder is not None:
        return _encoded(encoder, inputs, progress), f"what {encoder} makes of the standardised inputs"
    flat = inputs.flatten(1)
    if pca is not None:
        from sklearn.decomposition import PCA

        most = min(flat.shape)
        if not 1 <= pca <= most:
            raise ArgumentError(f"--pca must be between 1 and {most} here (rows or values of a sample), got {pca}")
        found = PCA(pca, random_state=seed).fit(flat.numpy())
        kept = float(found.explained_variance_ratio_.sum())
        values = torch.from_numpy(np.ascontiguousarray(found.transform(flat.numpy()), dtype=np.float32))
        return values, f"{pca} principal components, {percent(kept)} of the variance"
    return flat, "the standardised inputs"


def _read_features(path: Path, rows: int) -> Tensor:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArgumentError(f"--features {path}: no .npy file that can be read: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array.dtype.kind not in "fiu":
        raise ArgumentError(f"--features {path}: must hold one array of numbers, shape (rows, values)")
    if len(array) != rows:
        raise ArgumentError(f"--features {path}: has {len(array):,} rows, the data have {rows:,}")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ArgumentError(f"--features {path}: must be finite, got {array[place]} at position {place}")
    wide = array.dtype == np.float64 or array.dtype.kind in "iu"  # all the digits that there are
    return torch.from_numpy(np.array(array.reshape(rows, -1), dtype=np.float64 if wide else np.float32))


def _encoded(path: Path, inputs: Tensor, progress: Progress) -> Tensor:
    if not path.is_file():
        raise ArgumentError(f"--encoder {path}: no such file")
    exported = path.suffix == ".pt2"
    if not zipfile.is_zipfile(path):  # both are archives; torch.export prints a traceback of its own on others
        raise ArgumentError(f"--encoder {path}: neither TorchScript nor an exported program (.pt2)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript, which people have files of
            model: Any = torch.export.load(path).module() if exported else torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    except (RuntimeError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ArgumentError(f"--encoder {path}: neither TorchScript nor an exported program (.pt2): {reason}") from None
    if not exported:
        model.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(inputs), 256):
            batch = inputs[start : start + 256]
            try:
                out = model(batch)
            except (RuntimeError, ValueError, TypeError, AssertionError) as error:
                reason = str(error).strip().splitlines()[-1][:200]
                raise ArgumentError(
                    f"--encoder {path}: failed on inputs of shape {tuple(batch.shape)}: {reason}"
                ) from None
            if not isinstance(out, Tensor) or len(out) != len(batch) or not bool(torch.isfinite(out).all()):
                raise ArgumentError(f"--encoder {path}: must return one finite row a sample")
            parts.append(out.flatten(1).float())
            progress("encoding", start + len(batch), len(inputs))
    return torch.cat(parts)
