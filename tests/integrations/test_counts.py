"""`PairCounts`: sums over batches, threads and worker processes."""

import copy
import multiprocessing
import pickle
import sys
import threading
from multiprocessing.reduction import ForkingPickler

import pytest
import torch

from localmixup import ArgumentError
from localmixup._batch import MixPlan
from localmixup.integrations._counts import PairCounts

PLANS = [
    MixPlan(torch.tensor([1, 0, 2]), torch.tensor([0.5, 0.5, 1.0]), torch.tensor([0.5, 0.25, 1.0])),
    MixPlan(torch.tensor([0, 1]), torch.ones(2), torch.ones(2)),
]
EXPECTED = {"mean_weight": (0.5 + 0.25 + 1 + 2) / 5, "mixed_share": 0.75 / 3.75}


def add(counts, times):
    for _ in range(times):
        for plan in PLANS:
            counts.add_plan(plan)


def test_sums_are_those_of_all_batches_and_start_again():
    counts = PairCounts()
    assert not counts
    add(counts, 3)
    assert counts
    assert counts.take() == EXPECTED
    with pytest.raises(ArgumentError, match="no batch was mixed since the pairs were last counted, why"):
        counts.take(", why")


def test_threads_lose_nothing():
    counts, errors = PairCounts(), []

    def take():
        for _ in range(300):
            try:
                counts.take()
            except ArgumentError:  # nothing new
                pass
            except Exception as error:
                errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for others in ([], [threading.Thread(target=take)]):
            threads = [threading.Thread(target=add, args=(counts, 150)) for _ in range(4)] + others
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if not others:
                assert counts._sums.tolist() == [5 * 600, 3.75 * 600, 0.75 * 600]
    finally:
        sys.setswitchinterval(interval)
    assert not errors


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no processes are forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_copies_in_other_processes_count_for_the_first():
    counts = copy.deepcopy(PairCounts(workers=True))
    add(counts, 1)
    for times in (2, 3):
        processes = [multiprocessing.get_context("fork").Process(target=add, args=(counts, times)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        own = 0 if counts._sums is None else int(counts._sums[0])
        assert counts._of_workers.sum(0)[0] - counts._taken[0] + own == 5 * (2 * times + (times == 2))
        assert counts.take() == EXPECTED
    assert not counts


def test_what_a_new_process_is_sent_counts_for_the_first():
    """As with the start methods "spawn" and "forkserver", which pickle what a process gets."""
    counts = PairCounts(workers=True)
    sent = pickle.loads(ForkingPickler.dumps(counts))
    sent._owner = 0  # of another process
    add(sent, 2)
    assert counts.take() == EXPECTED


def test_a_copy_counts_for_itself():
    counts = PairCounts(workers=True)
    twins = copy.deepcopy(counts), pickle.loads(pickle.dumps(counts))
    add(counts, 1)
    for twin in twins:
        assert not twin
        add(twin, 1)
        assert twin.take() == EXPECTED
    assert counts.take() == EXPECTED
