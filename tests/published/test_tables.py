"""Published tables as data, against what is printed beside their numbers."""

import statistics

import pytest

from expunge.errors import ConfigError
from expunge.methods import METHODS
from expunge.metrics import METRICS
from expunge.published import read_table, table_names

CORE = ("ua", "mia_efficacy", "ra", "ta")

# The gaps that the paper prints in brackets: UA, MIA-efficacy, RA, TA, and their mean.
PRINTED = {
    ("class", "ft", 0.0): (77.47, 25.00, 0.13, 0.52, 25.78),
    ("class", "ft", 0.95): (26.36, 16.98, 0.12, 2.52, 11.50),
    ("class", "ga", 0.0): (6.92, 5.97, 7.40, 8.19, 7.12),
    ("class", "ga", 0.95): (1.91, 2.26, 12.25, 9.22, 6.41),
    ("class", "ff", 0.0): (20.07, 0.00, 0.55, 0.65, 5.32),
    ("class", "ff", 0.95): (5.17, 0.00, 0.51, 2.24, 1.98),
    ("class", "iu", 0.0): (12.18, 4.04, 2.02, 3.41, 5.41),
    ("class", "iu", 0.95): (0.53, 0.07, 2.75, 1.04, 1.10),
    ("random:0.1", "ft", 0.0): (1.42, 1.85, 3.39, 4.29, 2.74),
    ("random:0.1", "ft", 0.95): (0.80, 0.81, 3.01, 3.04, 1.92),
    ("random:0.1", "ga", 0.0): (2.13, 3.08, 6.69, 5.14, 4.26),
    ("random:0.1", "ga", 0.95): (1.15, 2.41, 4.56, 4.07, 3.05),
    ("random:0.1", "ff", 0.0): (2.43, 3.60, 7.95, 6.32, 5.08),
    ("random:0.1", "ff", 0.95): (1.39, 3.37, 7.71, 5.54, 4.50),
    ("random:0.1", "iu", 0.0): (3.38, 8.05, 1.74, 3.09, 4.07),
    # The mean is printed as 3.08.
    ("random:0.1", "iu", 0.95): (0.26, 2.24, 5.06, 4.59, 3.04),
}
# SalUn's table prints the mean alone.
SALUN = {"ft": 3.78, "random_label": 7.15, "ga": 4.12, "iu": 4.06, "boundary_expanding": 2.76}
SALUN |= {"boundary_shrink": 2.67, "l1_sparse": 2.26, "salun": 1.15}


def by_place(name):
    return {
        (cell.scenario, cell.method, cell.sparsity): cell
        for cell in read_table(name)
        if cell.how == "read"
    }


def test_the_main_table_has_the_gaps_that_are_printed_beside_it():
    cells = by_place("main-table")
    assert len(cells) == 2 * 2 * 5
    for (scenario, method, sparsity), printed in PRINTED.items():
        cell, retrain = (cells[scenario, each, sparsity] for each in (method, "retrain"))
        gaps = [abs(cell.mean(name) - retrain.mean(name)) for name in CORE]
        assert [*gaps, statistics.fmean(gaps)] == pytest.approx(printed, abs=0.011)
        assert all(cell.deviation(name) is not None for name in CORE)
        assert cell.n == retrain.n == 10


def test_saluns_table_has_the_mean_gaps_that_are_printed_beside_it():
    cells = by_place("salun")
    retrain = cells["random:0.1", "retrain", 0.0]
    for method, printed in SALUN.items():
        cell = cells["random:0.1", method, 0.0]
        gaps = [abs(cell.mean(name) - retrain.mean(name)) for name in CORE]
        assert statistics.fmean(gaps) == pytest.approx(printed, abs=0.011)


def test_the_trojans_curves_are_of_five_sparsities():
    cells = read_table("trojan")
    for method in ("original", "ft"):
        found = [cell for cell in cells if cell.method == method]
        assert [cell.sparsity for cell in found] == [0.0, 0.75, 0.9, 0.95, 0.99]
    asr = [cell.mean("asr_all") for cell in cells if cell.method == "ft"]
    assert asr == [46.9, 43.5, 15.6, 14.6, 11.3]


@pytest.mark.parametrize("name", table_names())
def test_tables_use_the_projects_names_and_say_where_they_are_from(name):
    cells = read_table(name)
    assert len({cell.key for cell in cells}) == len(cells)
    metrics = {metric.name for metric in METRICS} | {"rte_s"}
    # Two baselines of SalUn's table that the project does not have.
    methods = {*(method.name for method in METHODS), "original"}
    methods |= {"boundary_expanding", "boundary_shrink"}
    for cell in cells:
        assert set(cell.values) <= metrics
        assert cell.method in methods
        assert cell.setting
        assert cell.how == "read" or "digitised" in cell.source or cell.method == "l1_sparse"


def test_a_table_that_is_not_there_is_named_with_the_near_one():
    with pytest.raises(ConfigError, match=r"'main-tabel'.*did you mean 'main-table'"):
        read_table("main-tabel")
