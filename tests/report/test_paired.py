"""Differences between methods on the same seeds."""

import json
import math
import statistics

import pytest
from tests.report.conftest import cell, gap

from expunge.report import check_results, render_html
from expunge.report.aggregate import Level, aggregate
from expunge.report.paired import FLOOR_NOTE, paired_of, paired_tables

DENSE = Level(0.0, "none")


@pytest.fixture
def floored(results):
    """With Retrain by another seed, whose gaps are 1, 2 and 3."""
    for seed in range(3):
        again = cell("class:3", "none", 0.0, "retrain", seed) | {"method": "retrain_again"}
        again["gap"] = {**gap(again["metrics"], again["metrics"]), "avg": 1.0 + seed}
        results["cells"].append(again)
    return check_results(results)


def gaps(results, method):
    there = (
        c
        for c in results["cells"]
        if (c["scenario"], c["pruner"], c["method"]) == ("class:3", "none", method)
    )
    return {c["seed"]: c["gap"]["avg"] for c in there}


def of(results):
    return {
        (each.first, each.second, each.level): each for each in paired_of(aggregate(results)[0])
    }


def test_differences_are_students_by_hand(floored):
    """The t-quantile of two degrees of freedom is 4.30265."""
    found = of(floored)["ft", "ga", DENSE].interval
    one, other = gaps(floored, "ft"), gaps(floored, "ga")
    differences = [one[seed] - other[seed] for seed in range(3)]
    reach = 4.302653 * statistics.stdev(differences) / math.sqrt(3)
    mean = statistics.fmean(differences)
    assert (found.estimate, found.n) == (pytest.approx(mean), 3)
    assert (found.low, found.high) == pytest.approx((mean - reach, mean + reach), abs=1e-4)


def test_retrain_by_another_seed_is_what_methods_are_held_against(floored):
    found = of(floored)
    by_hand = statistics.fmean(gaps(floored, "ft").values()) - 2.0
    assert found["ft", "retrain_again", DENSE].interval.estimate == pytest.approx(by_hand)
    assert not any("retrain" in key for key in found), "its gap to itself is no measure"
    table = paired_tables(aggregate(floored))[0]
    assert "FT − Retrain, another seed" in [row[0] for row in table.rows]
    assert FLOOR_NOTE in table.notes
    assert "Descriptive" in table.notes[0]


def test_only_seeds_that_both_have_are_paired(floored):
    floored["cells"] = [c for c in floored["cells"] if not (c["method"] == "ga" and c["seed"] == 1)]
    found = of(floored)
    assert (found["ft", "ga", DENSE].interval.n, found["ft", "l1_sparse", DENSE].interval.n) == (
        2,
        3,
    )
    floored["cells"] = [c for c in floored["cells"] if not (c["method"] == "ga" and c["seed"] == 2)]
    assert ("ft", "ga", DENSE) not in of(floored)


def test_a_method_that_one_level_lacks_has_a_dash(results):
    table = paired_tables(aggregate(results))[0]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["FT − ℓ1-sparse"][1] == "—"
    assert rows["FT − GA"][1].endswith(", n = 3)")
    assert FLOOR_NOTE not in table.notes


def test_one_seed_or_no_reference_has_no_pairs(one_seed, without_reference):
    assert not paired_tables(aggregate(one_seed))
    assert not paired_tables(aggregate(without_reference))


def test_equal_gaps_of_two_seeds_are_null_in_json(results):
    results["cells"] = [c for c in results["cells"] if c["seed"] < 2]
    for c in results["cells"]:
        c["gap"]["avg"] = 2.0
    (scenario, *_) = aggregate(results)
    found = paired_of(scenario)[0].to_json(scenario.name)
    assert (found["mean"], found["low"], found["high"], found["n"]) == (0.0, None, None, 2)
    json.dumps(found, allow_nan=False)


def test_the_page_has_the_table(results):
    page = render_html(results)
    assert "<summary>Paired differences between methods</summary>" in page
    assert "<td>FT − GA</td>" in page
