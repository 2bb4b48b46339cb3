"""Tables of comparisons in which the truth is known, pushed through the choice, the questions and the decision.

The rows of a population differ in difficulty, and every arm has an effect of its own on each of them, which averages
out over the population but not over a test set. Each training adds noise, to the arm as a whole and to each row. What
comes out is what `localmixup compare` sees: which rows a training gets wrong, and the loss of each.

    python tests/lab/analysis/simulated_tables.py 1000 > results/null-simulation.txt
"""

import math
import sys
from collections import Counter
from typing import NamedTuple

import numpy as np

from localmixup.lab.analysis.decisions import decide
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Design, Judged, Measured, choose, contrasts_of

PROBS = (0.1, 0.1, 0.25, 0.25, 0.5, 0.5, 1.0, 1.0)
"""How often each of the 8 candidates for mixup mixes; those for local mixup are as many and as often."""

SEEDS = 4
"""Trainings of each candidate that choose."""


class Data(NamedTuple):
    """A data set.

    Attributes:
        pool: rows for training, choosing and, without a test set, judging.
        tested: rows of one test set.
        own: standard deviation of the test set's own effect on a difference of two arms, in points.
        own_set: whether the test set is fixed.
    """

    pool: int
    tested: int
    own: float
    own_set: bool


# answers.md, section 2: measured on 360 test rows of digits and on 114 of breast cancer
DATA = {
    "as digits, test rows drawn anew": Data(1797, 360, 0.54, False),
    "as digits, one test set": Data(1437, 360, 0.54, True),
    "as breast cancer, test rows drawn anew": Data(569, 114, 1.42, False),
    "as breast cancer, one test set": Data(455, 114, 1.42, True),
}

# gain in points of mixup and of local mixup, of a candidate that mixes all samples, and of the log-likelihood in nats
TRUTHS = {
    "nothing differs": (0.0, 0.0, 0.0),
    "mixup helps in proportion to its share, locality does nothing": (-2.0, -2.0, 0.0),
    "mixup harms in proportion to its share, local mixup too": (3.0, 3.0, 0.0),
    "only the probabilities get better": (0.0, 0.0, -0.05),
    "local mixup helps by 2 points": (0.0, -2.0, 0.0),
    "mixup and local mixup help by 3 points": (-3.0, -3.0, 0.0),
}


NULLS = list(TRUTHS)[:3]
"""Truths in which locality does nothing, so that nothing must be said in its favour."""


class World:
    """One data set with its arms.

    Args:
        data: sizes.
        truth: a value of `TRUTHS`.
        rng: source of all draws.
    """

    def __init__(self, data, truth, rng):
        self.data, self.rng = data, rng
        rows = data.pool + (data.tested if data.own_set else 0)
        effect = data.own * math.sqrt(data.tested) / 100  # standard deviation of the effects over the rows
        # only rows near a border depend on the arm: their share leaves room for effects of that size
        share = min(0.9, (effect / 0.24) ** 2)
        self.near = rng.random(rows) < share
        self.size = effect / math.sqrt(share) / math.sqrt(2)  # each arm's own; two of them differ by sqrt(2) as much
        self.share = share
        self.base = rng.uniform(0.42, 0.58, rows)
        of_mixup, of_local, self.nll = truth
        self.gains = {VANILLA: [0.0], MIXUP: [of_mixup * p for p in PROBS], LOCAL: [of_local * p for p in PROBS]}
        if truth == TRUTHS["local mixup helps by 2 points"]:
            self.gains[LOCAL] = [-2.0] * len(PROBS)
        common = {label: rng.choice([-1.0, 1.0], rows) for label in self.gains}
        self.effects = {
            label: [np.where(rng.random(rows) < 0.8, common[label], rng.choice([-1.0, 1.0], rows)) for _ in gains]
            for label, gains in self.gains.items()
        }

    def train(self, label, candidate, seed, rows):
        """One training: whether it gets some rows wrong, and the loss of each, shape `(k,)` each."""
        seeds = np.random.default_rng((self.key, seed))  # what all arms of a seed share
        near, effect = self.near[rows], self.size * self.effects[label][candidate][rows]
        shared, same = seeds.random((2, len(rows)))
        luck = np.where(same < 0.5, shared, self.rng.random(len(rows)))
        shift = (self.gains[label][candidate] + 0.3 * self.rng.normal()) / 100 / self.share
        wrong = near & (luck < np.clip(self.base[rows] + effect + shift, 0, 1))
        noise = 0.3 * self.rng.normal(size=len(rows)) * near + 0.005 * self.rng.normal()
        return wrong, 0.1 + 0.8 * near * (effect + 0.5) + noise + (self.nll if label != VANILLA else 0.0)

    def table(self, resamples):
        """Choose on a fifth of the pool and judge on the rest or on the test set, as `localmixup compare` does."""
        self.key = int(self.rng.integers(2**31))
        chooses = self.rng.permutation(self.data.pool)[: self.data.pool // 5]
        rest = np.setdiff1d(np.arange(self.data.pool), chooses)

        def on_choosing(label, candidate):
            return float(np.mean([self.train(label, candidate, 10_000 + s, chooses)[0].mean() for s in range(SEEDS)]))

        means = {label: [on_choosing(label, k) for k in range(len(gains))] for label, gains in self.gains.items()}
        choice = choose(means[VANILLA][0], means[MIXUP], means[LOCAL])
        arms = {VANILLA: 0, MIXUP: choice.mixup, LOCAL: choice.local}
        tests = [
            np.arange(self.data.pool, len(self.near))
            if self.data.own_set
            else self.rng.permutation(rest)[: self.data.tested]
            for _ in range(resamples)
        ]
        judged = {label: self.judge(label, arm, tests) for label, arm in arms.items()}
        count = self.data.tested if self.data.own_set else len(rest)
        contrasts = contrasts_of(
            judged, choice, Design(1.0 if self.data.own_set else self.data.tested / count, count), "%"
        )
        truth = {label: self.gains[label][arm] for label, arm in arms.items()}
        return decide(contrasts, choice), contrasts, truth, choice

    def judge(self, label, candidate, tests):
        """An arm on the rows that judge."""
        runs = [self.train(label, candidate, seed, test) for seed, test in enumerate(tests)]
        found = []
        for place, scale in ((0, 100.0), (1, 1.0)):
            rows = np.full((len(tests), len(self.near)), np.nan)
            for run, test, of_run in zip(runs, tests, rows, strict=True):
                of_run[test] = scale * run[place]
            rows = rows[:, ~np.isnan(rows).all(axis=0)]
            found.append(Measured(np.nanmean(rows, axis=1), rows))
        return Judged(*found)


def wrong_claims(decision, contrasts, truth, choice, nll):
    """Return the claims of a table that are false."""
    claims = []
    if decision.use in (LOCAL, MIXUP):
        better_probabilities = decision.contrast == "calibration" and nll < 0
        # local mixup must beat the form of mixup that it is compared with, and both must beat vanilla training
        beaten = [truth[label] for label in ({VANILLA, decision.compared[1]} if not better_probabilities else ())]
        if not better_probabilities and (
            decision.contrast == "calibration" or any(truth[decision.use] >= error for error in beaten)
        ):
            claims.append(f"use {decision.use}")
    errors = [c for c in contrasts.values() if c.unit == "%"]
    return claims + [f"{c.one} harms" for c in errors if c.shown > 0 and truth[c.one] <= truth[c.other]]


def simulate(data, truth, resamples, tables, seed=0):
    """Return the shares of tables with a wrong claim and with the claim that locality helps, and of each decision."""
    wrong, local, uses = 0, 0, Counter()
    for k in range(tables):
        world = World(data, truth, np.random.default_rng((seed, resamples, k)))
        table = world.table(resamples)
        wrong += bool(wrong_claims(*table, truth[2]))
        local += table[0].use == LOCAL and table[0].contrast == "locality"
        uses[table[0].use] += 1
    return wrong / tables, local / tables, {use: count / tables for use, count in uses.most_common()}


ABOUT = """\
Tables of comparisons with a known truth: python tests/lab/analysis/simulated_tables.py {tables}

wrong: the share of tables with any false "use ..." or "harms". "Use ..." is false if what is used is not truly better than
vanilla training and than what it is said to beat; "harms" if an arm that is shown to be worse is not.
locality: the share of tables that say that local mixup is better than mixup, or than vanilla training that mixup did not
beat on the rows that choose. Where locality does nothing, local mixup can still be better than vanilla training; that alone
is told as such and not counted here.
"""


def main():
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(ABOUT.format(tables=tables))
    for name, truth in TRUTHS.items():
        count = tables if name in NULLS else max(1, tables // 3)
        print(f"{name} ({count} tables each)")
        for kind, data in DATA.items():
            for resamples in (5, 10, 20):
                wrong, local, uses = simulate(data, truth, resamples, count)
                told = ", ".join(f"{use} {100 * share:.1f} %" for use, share in uses.items())
                rates = f"wrong {100 * wrong:4.1f} %, locality {100 * local:4.1f} %"
                print(f"  {kind}, {resamples:2} resamples: {rates}; decided: {told}", flush=True)


if __name__ == "__main__":
    main()
