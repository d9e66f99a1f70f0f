"""Which samples are to be forgotten."""

from expunge.scenarios.at_random import AtRandom, at_random
from expunge.scenarios.base import Scenario
from expunge.scenarios.by_class import ByClass, by_class
from expunge.scenarios.by_ids import ByIds, by_ids
from expunge.scenarios.parse import parse
from expunge.scenarios.split import make_split

__all__ = [
    "AtRandom",
    "ByClass",
    "ByIds",
    "Scenario",
    "at_random",
    "by_class",
    "by_ids",
    "make_split",
    "parse",
]
