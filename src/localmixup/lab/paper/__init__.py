"""The figures and tables of the paper, one file each: which runs, which picture, and what came out."""

from localmixup.lab.paper.adamixup import AdaMixUp, Figure6
from localmixup.lab.paper.classes import Classes
from localmixup.lab.paper.figure4 import Figure4
from localmixup.lab.paper.figure5 import Figure5
from localmixup.lab.paper.figure7 import Figure7
from localmixup.lab.paper.item import Item as Item
from localmixup.lab.paper.regression import Regression
from localmixup.lab.paper.spiral_draws import SpiralDraws
from localmixup.lab.paper.spirals import Figure1, Figure3
from localmixup.lab.paper.table1 import Table1
from localmixup.lab.paper.table2 import Table2
from localmixup.lab.paper.table3 import Table3

_ALL = (
    Figure1(), Figure3(), Figure4(), SpiralDraws(), Figure5(), Table1(), Table2(), AdaMixUp(), Figure6(), Classes(),
    Table3(), Figure7(), Regression(),
)  # fmt: skip

ITEMS: dict[str, Item] = {item.name: item for item in _ALL}
"""The items by their name on the command line, in the order of the paper."""
