"""`localmixup compare`: whether mixup, and locality, help on a data set."""

from localmixup.lab.compare.client import compare as compare
from localmixup.lab.compare.job import Job as Job
