"""`localmixup compare`: whether to use local mixup, mixup or neither on a data set."""

from localmixup.lab.compare.client import compare as compare
from localmixup.lab.compare.client import compare_data as compare_data
from localmixup.lab.compare.job import Job as Job
