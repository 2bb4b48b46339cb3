"""Every lemma and theorem of the paper as a check on random data with a fixed seed: what holds, and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from localmixup import ThresholdGraph
from localmixup.geometry import lipschitz_lower_bound
from localmixup.lab.data.generators import digits
from localmixup.theory import line, linear_model, ring

HOLDS, CORRECTED, FALSE = "holds", "holds with a correction", "false"


class Finding(NamedTuple):
    """What became of one statement.

    Attributes:
        statement: its number in the paper.
        claim: what it says.
        verdict: `"holds"`, `"holds with a correction"` or `"false"`.
        evidence: the number that shows it.
        instead: what is true; empty where the claim is.
    """

    statement: str
    claim: str
    verdict: str
    evidence: str
    instead: str


def check_all() -> list[Finding]:
    """Check every statement, a few seconds in all.

    Returns:
        In the order of the paper. The verdict follows from the computation: nothing is taken for granted.
    """
    return [check() for check in CHECKS]


def _verdict(as_printed: bool, corrected: bool) -> str:
    return HOLDS if as_printed else (CORRECTED if corrected else FALSE)


def _samples(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.normal(size=n)), rng.normal(size=n)


def lemma_3_1() -> Finding:
    """Eq. (1): the optimum is the plain average of all combinations that give a point."""
    x, y = _samples(0, 6)
    rng = np.random.default_rng(1)
    i, j, lam = rng.integers(6, size=2_000_000), rng.integers(6, size=2_000_000), rng.uniform(size=2_000_000)
    keep = i != j
    mixed, target = (lam * v[i] + (1 - lam) * v[j] for v in (x, y))
    edges = np.linspace(x[0], x[-1], 201)
    centres = (edges[1:] + edges[:-1]) / 2
    which = np.digitize(mixed[keep], edges) - 1
    count = np.bincount(which, minlength=200)[:200]
    mean = np.bincount(which, target[keep], 200)[:200] / count
    spread = np.sqrt((np.bincount(which, target[keep] ** 2, 200)[:200] / count - mean**2) / count)
    clear = np.abs(centres[:, None] - x).min(axis=1) > 1.5 * (edges[1] - edges[0])
    z = {w: ((mean - line.mixup_optimum(x, y, centres, weights=w)) / spread)[clear] for w in ("plain", "density")}
    rms = {w: float(np.sqrt(np.mean(v**2))) for w, v in z.items()}
    return Finding(
        "Lemma 3.1, eq. (1)",
        "the optimum at a point is the plain average over all pairs and lam that give it",
        FALSE if rms["plain"] > 3 else HOLDS,
        f"2 million draws of mixup: off from eq. (1) by {rms['plain']:.0f} standard errors, from the corrected average "
        f"by {rms['density']:.2f}",
        "each pair counts one over its length (times the density of lam)",
    )


def theorem_3_2_linear() -> Finding:
    """The optimum is linear between neighbouring samples."""
    x, y = _samples(2, 7)
    bends = {}
    for beta in ((1.0, 1.0), (2.0, 2.0)):
        inside = x[:-1, None] + np.diff(x)[:, None] * np.array([0.25, 0.5, 0.75])
        values = line.mixup_optimum(x, y, inside.ravel(), beta=beta).reshape(inside.shape)
        bends[beta] = float(np.abs(values[:, 0] - 2 * values[:, 1] + values[:, 2]).max())
    linear, only_uniform = bends[(1.0, 1.0)] < 1e-12, bends[(2.0, 2.0)] > 1e-3
    return Finding(
        "Theorem 3.2 (linear)",
        "the optimum is linear on each segment between neighbouring samples",
        _verdict(linear and not only_uniform, linear),
        f"largest second difference {bends[(1.0, 1.0)]:.0e} for lam uniform, {bends[(2.0, 2.0)]:.2f} for Beta(2, 2)",
        "for lam uniform, on the open intervals",
    )


def theorem_3_2_continuous() -> Finding:
    """The optimum is continuous."""
    x, y = _samples(2, 7)
    jumps = {}
    for weights in ("plain", "density"):
        left, right = line.one_sided_limits(x, y, weights=weights)
        jumps[weights] = float(np.abs(right - left)[1:-1].max())
    return Finding(
        "Theorem 3.2 (continuous)",
        "the optimum is continuous everywhere",
        FALSE if min(jumps.values()) > 1e-6 else HOLDS,
        f"it jumps at a sample by {jumps['plain']:.2f} (eq. (1)) and {jumps['density']:.2f} (the true optimum)",
        "it jumps at the samples in general, and interpolates them",
    )


def equations_4_and_5() -> Finding:
    """f_K on the ring."""
    y, worst = np.random.default_rng(3).normal(size=7), 0.0
    for K in (1, 2, 5, 20):
        for i in range(7):
            values = [y[i]] * (2 * K)
            for length in range(1, K + 1):
                for k in range(1, length):
                    values.append((1 - k / length) * y[(i - k) % 7] + k / length * y[(i + length - k) % 7])
            worst = max(worst, abs(np.mean(values) - ring.local_mixup_optimum(y, reach=K)[i]))
    gap = float(
        np.abs(ring.local_mixup_optimum(y, reach=5) - ring.local_mixup_optimum(y, reach=5, kind="density")).max()
    )
    return Finding(
        "eqs. (4), (5)",
        "f_K is the average of 2 K direct and K (K - 1) / 2 indirect samples at a lattice point",
        _verdict(worst < 1e-12 and gap < 1e-12, worst < 1e-12),
        f"equal to enumeration to {worst:.0e}; the optimum for lam uniform differs from it by up to {gap:.2f}",
        "so for samples counted at lattice points, on the periodic line; S_1 = 0, and the count is K (K + 3) / 2",
    )


def lemma_4_1() -> Finding:
    """The mean of f_K."""
    rng, worst = np.random.default_rng(4), 0.0
    for n in (3, 8, 21):
        y = rng.normal(size=n) + 1
        worst = max(worst, *(abs(ring.local_mixup_optimum(y, reach=K).mean() - y.mean()) for K in (1, 4, 50)))
    return Finding(
        "Lemma 4.1, eq. (6)", "f_K has the mean of y for every K", _verdict(worst < 1e-12, False),
        f"largest difference {worst:.0e}", "",
    )  # fmt: skip


def theorem_4_2() -> Finding:
    """Convergence on the ring."""
    rng = np.random.default_rng(5)
    rises, ratio = 0, 0.0
    for n in (2, 5, 12, 31):
        y = rng.normal(size=n) + 1
        found = [ring.prediction_variance(y, reach=K) for K in range(1, 5 * n)]
        rises += int((np.diff(found) > 1e-14 * y.var()).sum())
        ratio = ring.prediction_variance(y, reach=200_000) * 200_000**2 / (4 * y.var())
    return Finding(
        "Theorem 4.2, eqs. (7) to (9)",
        "as K grows f_K tends to the mean of y, its variance falls to 0, its bias rises to the variance of y",
        _verdict(rises == 0 and abs(ratio - 1) < 0.01, False),
        f"{rises} rises of the variance over every K; K^2 Var / (4 Var y) = {ratio:.4f} at K = 200,000",
        "stronger: the variance never rises, for any K; the paper's proof is not valid, a Fourier argument is",
    )


def lemma_4_3() -> Finding:
    """A_K."""
    y = np.array([1.0, 0.0, -1.0, 0.0])
    a_6 = ring.indirect_sum(y, distance=6)
    z = np.random.default_rng(6).normal(size=6)
    exact = float(np.abs(ring.indirect_sum(z, distance=18) - (18 * z.mean() - z)).max())
    printed = float(np.abs(a_6).max()) < 1e-9
    return Finding(
        "Lemma 4.3, eq. (10)",
        "A_K lies within O(K mean y) of multiples of n mean y",
        _verdict(printed, exact < 1e-10),
        f"y = (1, 0, -1, 0) has mean 0 and A_6 up to {np.abs(a_6).max():.3f}; A_K = K mean y - y to {exact:.0e} if n "
        "divides K",
        "A_K = K mean y - y + a bounded remainder, which is 0 where n divides K",
    )


def corollary_4_3_1() -> Finding:
    """S_K."""
    y = np.random.default_rng(7).normal(size=5) + 1
    K = 4000
    S = ring.local_mixup_optimum(y, reach=K) * K * (K + 3) / 2 - 2 * K * y
    limit = float(np.abs(S / K**2 - y.mean() / 2).max())
    printed = float(np.abs(S - y.mean() * K**2 / 2).max()) < 1
    return Finding(
        "Corollary 4.3.1, eq. (13)", "S_K tends to mean(y) K^2 / 2", _verdict(printed, limit < 1e-2),
        f"S_K / K^2 is off from mean(y) / 2 by {limit:.0e} at K = {K:,}",
        "the quotient S_K / K^2 tends to mean(y) / 2; S_K itself has no limit",
    )  # fmt: skip


def theorem_4_4() -> Finding:
    """Variance over i.i.d. outputs."""
    reaches = range(1, 3000)
    values = np.array([ring.iid_variance(reach=K) for K in reaches])
    K = np.arange(1, 3000)
    upper, lower = bool((values <= 8 / K).all()), values >= 16 / K**2
    first = int(K[~lower].max()) + 1
    simulated = np.random.default_rng(8).normal(size=(4000, 64))
    drawn = float(ring.local_mixup_optimum(simulated.T, reach=10).var())
    return Finding(
        "Theorem 4.4, eq. (15)",
        "for i.i.d. outputs the variance lies between 16 s^2 / K^2 and 8 s^2 / K, eventually",
        _verdict(upper and bool(lower[first - 1 :].all()) and first < 100, upper),
        f"upper bound for every K, lower from K = {first} on (K < 3,000); K Var tends to {2999 * values[-1]:.3f}; "
        f"256,000 draws at K = 10: {drawn:.4f}, exact {ring.iid_variance(reach=10):.4f}",
        "sharper: Var ~ (28 / 27) s^2 / K; for every K it lies between 16 s^2 / (K + 3)^2 and 1.5 s^2 / K",
    )


def theorem_4_5() -> Finding:
    """Linear models."""
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0])
    local = (np.abs(x[:, None] - x) <= 1).astype(float)
    found = [linear_model.mixup_coefficients(x, y, W)[0] for W in (np.ones((3, 3)), local)]
    same = abs(found[0] - found[1]) < 1e-9
    return Finding(
        "Theorem 4.5",
        "for a linear model the optima of mixup and of local mixup are equal",
        HOLDS if same else FALSE,
        f"x = (0, 1, 2), y = (0, 1, 0): intercept {found[0]:.4f} for mixup, {found[1]:.4f} for a radius of 1",
        "mixup with an intercept is least squares; a local graph only if M keeps the design's span, or in expectation",
    )


def theorem_4_6() -> Finding:
    """Q(D)."""
    rng = np.random.default_rng(9)
    y = rng.integers(3, size=60)
    x = rng.normal(size=(60, 6)) + 2 * rng.normal(size=(3, 6))[y]
    curve = lipschitz_lower_bound(x, y, kind="segments")
    radii = np.linspace(0, 12, 400)
    rises, flat = np.diff(curve.at(radii)), float(np.mean(np.diff(curve.at(radii)) == 0))
    return Finding(
        "Theorem 4.6",
        "the lower bound Q(D) of the Lipschitz constant is increasing with the radius",
        _verdict(bool((rises > 0).all()), bool((rises >= 0).all())),
        f"Q rises in {len(curve.radius) - 1} steps from {curve.value[0]:.3f} to {curve.value[-1]:.3f} and is constant "
        f"on {100 * flat:.0f} % of the axis",
        "it never falls (a step function), with each sample counted as a segment of length 0",
    )


CHECKS: tuple[Callable[[], Finding], ...] = (
    lemma_3_1, theorem_3_2_linear, theorem_3_2_continuous, equations_4_and_5, lemma_4_1, theorem_4_2, lemma_4_3,
    corollary_4_3_1, theorem_4_4, theorem_4_5, theorem_4_6,
)  # fmt: skip


def draw(folder: Path) -> list[Path]:
    """The four figures of the documentation's page on the theory.

    Args:
        folder: for the PNG files; made if it is not there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, paint in (("line", _draw_line), ("ring", _draw_ring), ("linear", _draw_linear), ("lipschitz", _draw_q)):
        figure = Figure(figsize=(7, 3.8), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        paths.append(folder / f"theory-{name}.png")
        figure.savefig(paths[-1])
    return paths


def _draw_line(figure: Any) -> None:
    x, y = _samples(0, 9)
    axes, query = figure.add_subplot(), np.linspace(x[0], x[-1], 2001)
    for radius, color in zip((0.4, 1.0, np.inf), ("#009E73", "#E69F00", "#0072B2"), strict=True):
        graph = ThresholdGraph(radius)
        label = "mixup" if radius == np.inf else f"radius {radius}"
        axes.plot(query, line.mixup_optimum(x, y, query, graph=graph), ".", ms=1.5, color=color)
        axes.plot([], [], color=color, label=label)
    axes.plot(query, line.mixup_optimum(x, y, query, weights="plain"), lw=1, ls=":", color="black", label="eq. (1)")
    axes.plot(x, y, "o", color="#D55E00", label="samples (and the optimum there)")
    axes.set(xlabel="x", ylabel="optimum")
    axes.legend(fontsize="small")


def _draw_ring(figure: Any) -> None:
    y = np.random.default_rng(0).normal(size=24) + 1
    reaches = np.arange(1, 121)
    left, right = figure.subplots(1, 2)
    left.loglog(reaches, [ring.prediction_variance(y, reach=int(K)) for K in reaches], label="variance of f_K")
    left.loglog(reaches, [ring.train_bias2(y, reach=int(K)) for K in reaches], label="squared bias")
    left.loglog(reaches, 4 * y.var() / reaches**2, ":", color="grey", label="4 Var(y) / K^2")
    left.set(xlabel="reach K", title="a ring of 24 samples", ylim=(1e-4, 3))
    right.loglog(reaches, [ring.iid_variance(reach=int(K)) for K in reaches], color="black", label="exact")
    right.loglog(reaches, 8 / reaches, "--", label="8 / K (paper)")
    right.loglog(reaches, 16 / reaches**2, "--", label="16 / K^2 (paper)")
    right.loglog(reaches, 1.5 / reaches, ":", label="1.5 / K")
    right.loglog(reaches, 16 / (reaches + 3) ** 2, ":", label="16 / (K + 3)^2")
    right.set(xlabel="reach K", title="variance, i.i.d. outputs")
    for axes in (left, right):
        axes.legend(fontsize="x-small")


def _draw_linear(figure: Any) -> None:
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.0, 3.0])
    axes, ends = figure.add_subplot(), np.array([-0.3, 4.3])
    for radius, color in zip((0, 1, 2, 3, 4), ("#000000", "#D55E00", "#E69F00", "#009E73", "#0072B2"), strict=True):
        intercept, slope = linear_model.mixup_coefficients(x, y, (np.abs(x[:, None] - x) <= radius).astype(float))
        label = {0: "radius 0: least squares", 4: "radius 4: mixup, least squares again"}.get(
            radius, f"radius {radius}"
        )
        axes.plot(ends, intercept + slope * ends, color=color, lw=3 if radius == 0 else 1.4, label=label)
    axes.plot(x, y, "o", color="grey")
    axes.set(xlabel="x", ylabel="fit of a line")
    axes.legend(fontsize="small")


def _draw_q(figure: Any) -> None:
    x, y, *_ = digits()
    pixels = x[:400].reshape(400, -1) / 255.0
    axes, end = figure.add_subplot(), 4.2
    for kind, label in (("segment", "samples against segments"), ("segments", "segments against segments")):
        curve = lipschitz_lower_bound(pixels, y[:400], kind=kind)
        axes.step([*curve.radius, end], [*curve.value, curve.value[-1]], where="post", label=label)
    axes.set(xlabel="radius", ylabel="Q(D)", title="400 digits, pixels in [0, 1]", xlim=(0, end), ylim=(0, None))
    axes.legend(fontsize="small")
