"""Pairs of a whole training set, and the neighbour search behind them."""

from localmixup.sampling.neighbors import NeighborLists as NeighborLists
from localmixup.sampling.pairs import PairDataset as PairDataset
from localmixup.sampling.pairs import PairSampler as PairSampler
