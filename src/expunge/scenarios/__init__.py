"""Scenarios: which samples to forget."""

from expunge.scenarios.at_random import AtRandom, at_random
from expunge.scenarios.base import Listed, Parsed, Scenario
from expunge.scenarios.by_class import ByClass, by_class
from expunge.scenarios.by_class_draw import ByClassDraw, by_class_draw
from expunge.scenarios.by_correction import ByCorrection, by_correction, corrects
from expunge.scenarios.by_draw import ByDraw, by_draw
from expunge.scenarios.by_edit import ByEdit, by_edit
from expunge.scenarios.by_fold import ByFold, by_fold
from expunge.scenarios.by_ids import ByIds, by_ids
from expunge.scenarios.by_indices import ByIndices, by_indices
from expunge.scenarios.by_memorisation import ByMemorisation, by_memorisation
from expunge.scenarios.by_seed import CLASS_BY_SEED, of_seed
from expunge.scenarios.by_suspicion import BySuspicion, by_suspicion
from expunge.scenarios.parse import parse
from expunge.scenarios.split import check_scenario, make_split

__all__ = [
    "CLASS_BY_SEED",
    "AtRandom",
    "ByClass",
    "ByClassDraw",
    "ByCorrection",
    "ByDraw",
    "ByEdit",
    "ByFold",
    "ByIds",
    "ByIndices",
    "ByMemorisation",
    "BySuspicion",
    "Listed",
    "Parsed",
    "Scenario",
    "at_random",
    "by_class",
    "by_class_draw",
    "by_correction",
    "by_draw",
    "by_edit",
    "by_fold",
    "by_ids",
    "by_indices",
    "by_memorisation",
    "by_suspicion",
    "check_scenario",
    "corrects",
    "make_split",
    "of_seed",
    "parse",
]
