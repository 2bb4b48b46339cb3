"""Tables of every kind as data sets."""

from localmixup.lab.data.tables.databases import is_database_url
from localmixup.lab.data.tables.formats import parquet_files
from localmixup.lab.data.tables.opening import members_of
from localmixup.lab.data.tables.table import dataset_of_table, read_query, read_table
from localmixup.lab.data.tables.target import MOST_CLASSES

__all__ = [
    "MOST_CLASSES",
    "dataset_of_table",
    "is_database_url",
    "members_of",
    "parquet_files",
    "read_query",
    "read_table",
]
