"""Definition 4.1 to Theorem 4.4: Local Mixup on the ring and on the infinite line."""

from __future__ import annotations

import numpy as np

from localmixup.lab.paper.theorems.finding import FALSE, HOLDS, NOT_SHOWN, Finding, verdict
from localmixup.theory import line, ring


def definition_4_1() -> Finding:
    """Check whether Definition 4.1's bias and variance show the trade-off that the abstract speaks of.

    The outputs are a sine plus noise. How local Local Mixup should be depends on how strong the noise is, but neither
    of the two quantities knows what part of the outputs is noise.
    """
    n, reaches = 60, np.arange(1, 61)
    rng = np.random.default_rng(10)
    signal = np.sqrt(2) * np.sin(2 * np.pi * np.arange(n) / n)
    best = []
    for noise_std in (0.3, 1.0):
        outputs = signal[:, None] + noise_std * rng.normal(size=(n, 400))
        optima = (ring.local_mixup_optimum(outputs, reach=int(K)) for K in reaches)
        best.append(int(reaches[np.argmin([np.square(f - signal[:, None]).mean() for f in optima])]))
    noise = rng.normal(size=n)
    bias_of_noise = float(ring.train_bias2(noise, reach=1))
    variance_of_signal = float(ring.prediction_variance(signal, reach=1))
    return Finding(
        "Definition 4.1, abstract",
        "Local Mixup creates a trade-off between bias and variance",
        NOT_SHOWN if bias_of_noise < 1e-12 and variance_of_signal > 0.99 and best[0] != best[1] else HOLDS,
        f"fitting pure noise has a Bias of {bias_of_noise:.0f}, and the true signal a Var of {variance_of_signal:.0f}; "
        f"the error on fresh outputs is smallest at K = {best[0]} for little noise and at K = {best[1]} for much",
        "the Bias of Definition 4.1 is a training error and its Var the spread of f over the inputs, not the bias and "
        "variance over draws of the training set: they show no trade-off in generalisation",
    )


def equations_4_and_5() -> Finding:
    """Check f_K on the ring against enumeration, and against the minimiser for lam uniform."""
    y, worst = np.random.default_rng(3).normal(size=7), 0.0
    for K in (1, 2, 5, 20):
        for i in range(7):
            values = [y[i]] * (2 * K)
            for length in range(1, K + 1):
                for k in range(1, length):
                    values.append((1 - k / length) * y[(i - k) % 7] + k / length * y[(i + length - k) % 7])
            worst = max(worst, abs(np.mean(values) - ring.local_mixup_optimum(y, reach=K)[i]))
    difference = ring.local_mixup_optimum(y, reach=5) - ring.local_mixup_optimum(y, reach=5, kind="density")
    gap = float(np.abs(difference).max())
    return Finding(
        "eqs. (4), (5)",
        "f_K is the average of 2 K direct and K (K - 1) / 2 indirect samples at a lattice point",
        verdict(worst < 1e-12 and gap < 1e-12, corrected=worst < 1e-12),
        f"equal to enumeration up to {worst:.0e}; the optimum for lam uniform differs from it by up to {gap:.2f}",
        "this minimises a criterion that counts mixed samples at lattice points only, on the periodic line",
    )


def lemma_4_1() -> Finding:
    """Check the mean of f_K."""
    rng, worst = np.random.default_rng(4), 0.0
    for n in (3, 8, 21):
        y = rng.normal(size=n) + 1
        worst = max(worst, *(abs(ring.local_mixup_optimum(y, reach=K).mean() - y.mean()) for K in (1, 4, 50)))
    return Finding(
        "Lemma 4.1, eq. (6)",
        "f_K has the mean of y for every K",
        verdict(worst < 1e-12, corrected=False),
        f"largest difference {worst:.0e}",
        "on the periodic line",
    )


def theorem_4_2() -> Finding:
    """Check the convergence of f_K on the periodic line."""
    rng = np.random.default_rng(5)
    rises, ratio = 0, 0.0
    for n in (2, 5, 12, 31):
        y = rng.normal(size=n) + 1
        found = [ring.prediction_variance(y, reach=K) for K in range(1, 5 * n)]
        rises += int((np.diff(found) > 1e-14 * y.var()).sum())
        ratio = ring.prediction_variance(y, reach=200_000) * 200_000**2 / (4 * y.var())
    return Finding(
        "Theorem 4.2, eqs. (7) to (9)",
        "as K grows, f_K tends to the mean of y, its Var falls to 0, and its Bias^2 rises to the variance of y",
        verdict(rises == 0 and abs(ratio - 1) < 0.01, corrected=False),
        f"{rises} increases of Var over all K; K^2 Var / (4 Var y) = {ratio:.4f} at K = 200,000",
        "on the periodic line, with K far beyond the n samples. Var then never increases, for any K; the paper's proof "
        "is not valid, but a Fourier argument is",
    )


def reading_of_theorem_4_2() -> Finding:
    """Check the conclusion that the paper draws from Theorem 4.2: mixup of n samples has zero variance.

    Mixup mixes each pair of n samples once, and no two samples are more than n - 1 apart. That is a finite chain, not
    the periodic line with K to infinity.
    """
    ratios, gaps = {}, []
    for n in (11, 31, 101):
        x, y = np.arange(float(n)), np.random.default_rng(n).normal(size=n)
        found = line.mixup_optimum(x, y, x, weights="plain")
        ratios[n] = float(found.var() / y.var())
        gaps.append(abs(float(found.mean() - y.mean())))
    x = np.arange(101.0)
    straight = float(line.mixup_optimum(x, x, x, weights="plain").var() / x.var())
    listed = ", ".join(f"{ratio:.2f}" for ratio in ratios.values())
    return Finding(
        "Theorem 4.2, the paper's reading",
        "the function that mixup learns has zero Var and is the mean of y",
        FALSE if min(*ratios.values(), straight) > 1e-3 else HOLDS,
        f"Var f / Var y = {listed} for random y at n = {', '.join(map(str, ratios))} samples on a line, and "
        f"{straight:.0f} for y = x; the mean of f is off by up to {max(gaps):.2f}",
        "n samples are at most n - 1 apart, so K stays finite; the outputs at both ends are never averaged",
    )


def lemma_4_3() -> Finding:
    """Check A_K."""
    y = np.array([1.0, 0.0, -1.0, 0.0])
    a_6 = ring.indirect_sum(y, distance=6)
    z = np.random.default_rng(6).normal(size=6)
    exact = float(np.abs(ring.indirect_sum(z, distance=18) - (18 * z.mean() - z)).max())
    printed = float(np.abs(a_6).max()) < 1e-9
    return Finding(
        "Lemma 4.3, eq. (10)",
        "A_K lies within O(K mean y) of multiples of n mean y",
        verdict(printed, corrected=exact < 1e-10),
        f"y = (1, 0, -1, 0) has mean 0 and A_6 up to {np.abs(a_6).max():.3f}; A_K = K mean y - y up to {exact:.0e} if "
        "n divides K",
        "A_K = K mean y - y plus a bounded remainder, which is 0 if n divides K",
    )


def corollary_4_3_1() -> Finding:
    """Check S_K."""
    y = np.random.default_rng(7).normal(size=5) + 1
    K = 4000
    S = ring.local_mixup_optimum(y, reach=K) * K * (K + 3) / 2 - 2 * K * y
    limit = float(np.abs(S / K**2 - y.mean() / 2).max())
    printed = float(np.abs(S - y.mean() * K**2 / 2).max()) < 1
    return Finding(
        "Corollary 4.3.1, eq. (13)",
        "S_K tends to mean(y) K^2 / 2",
        verdict(printed, corrected=limit < 1e-2),
        f"S_K / K^2 differs from mean(y) / 2 by {limit:.0e} at K = {K:,}",
        "the quotient S_K / K^2 tends to mean(y) / 2; S_K itself has no limit",
    )


def theorem_4_4() -> Finding:
    """Check the variance over i.i.d. outputs."""
    reaches = np.arange(1, 3000)
    values = np.array([ring.iid_variance(reach=int(K)) for K in reaches])
    upper, lower = bool((values <= 8 / reaches).all()), values >= 16 / reaches**2
    first = int(reaches[~lower].max()) + 1
    draws = np.random.default_rng(8).normal(size=(4000, 64))
    drawn = float(ring.local_mixup_optimum(draws.T, reach=10).var())
    return Finding(
        "Theorem 4.4, eq. (15)",
        "for i.i.d. outputs the variance eventually lies between 16 s^2 / K^2 and 8 s^2 / K",
        verdict(upper and bool(lower[first - 1 :].all()) and first < 100, corrected=upper),
        f"upper bound for every K, lower bound from K = {first} on (K < 3,000); K Var tends to "
        f"{2999 * values[-1]:.3f}; 256,000 draws at K = 10: {drawn:.4f}, exact {ring.iid_variance(reach=10):.4f}",
        "sharper: Var ~ (28 / 27) s^2 / K; for every K it lies between 16 s^2 / (K + 3)^2 and 1.5 s^2 / K",
    )
