"""Local Mixup when several processes (ranks) train together, as with DistributedDataParallel or Accelerate.

Each rank holds a part of the batch. The weighted mean of eq. (3) runs over the whole batch, so the sums of the weights
have to be added over the ranks, and a sample only finds partners on other ranks if the batch is gathered.
"""

from localmixup.distributed._batch import GatheredPlan as GatheredPlan
from localmixup.distributed._batch import RankBatch as RankBatch
from localmixup.distributed._batch import RankPlan as RankPlan
from localmixup.distributed._collectives import mean_over_ranks as mean_over_ranks
from localmixup.distributed._mixup import DistributedLocalMixup as DistributedLocalMixup
