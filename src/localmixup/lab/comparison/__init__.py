"""`localmixup compare`: whether to use local mixup, mixup or neither on a data set."""

from localmixup.lab.comparison.client import compare as compare
from localmixup.lab.comparison.client import compare_data as compare_data
from localmixup.lab.comparison.job import Job as Job
