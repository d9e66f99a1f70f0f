"""Published numbers as data: a cell of a paper's table, tables by name, and how settings differ."""

from expunge.published.cell import HOW, LARGEST, Published, published_from
from expunge.published.setting import UNSET, Difference, differences
from expunge.published.tables import read_table, table_names

__all__ = [
    "HOW",
    "LARGEST",
    "UNSET",
    "Difference",
    "Published",
    "differences",
    "published_from",
    "read_table",
    "table_names",
]
