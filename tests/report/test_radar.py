"""The radar: Retrain is the rim, and corners are as far out as gaps and times say."""

import math

import numpy as np
import pytest

from expunge.report.aggregate import aggregate
from expunge.report.measures import CORE, RTE
from expunge.report.radar import (
    _figure,
    corner,
    draw_radar,
    radar_axes,
    radar_note,
    radar_scale,
    radius,
    why_no_radar,
)


@pytest.fixture
def scenario(results):
    return aggregate(results)[0]


def mean(values):
    return math.fsum(values) / len(values)


def cells(results, method, pruner="none"):
    return [
        cell
        for cell in results["cells"]
        if (cell["scenario"], cell["method"], cell["pruner"]) == ("class:3", method, pruner)
    ]


def test_corners_are_gaps_on_one_scale_and_shares_of_retrains_time(results, scenario):
    assert radar_axes(scenario) == (*CORE, RTE)
    gaps = [
        mean([cell["gap"][key] for cell in cells(results, method, pruner)])
        for pruner in ("none", "omp")
        for method in ("original", "ft", "ga", *(["l1_sparse"] if pruner == "none" else []))
        for key in ("ua", "ra", "ta", "mia_efficacy")
    ]
    assert 50 < max(gaps) <= 100
    assert radar_scale(scenario) == 100
    for pruner, level in zip(("none", "omp"), scenario.levels, strict=True):
        for axis in CORE:
            group = scenario.get("ga", level)
            gap = mean([cell["gap"][axis.key] for cell in cells(results, "ga", pruner)])
            assert radius(scenario, group, axis) == pytest.approx(1 - gap / 100)
        share = mean([cell["rte_s"] for cell in cells(results, "ga", pruner)]) / mean(
            [cell["rte_s"] for cell in cells(results, "retrain", pruner)]
        )
        assert radius(scenario, scenario.get("ga", level), RTE) == pytest.approx(share)
        for axis in (*CORE, RTE):
            assert radius(scenario, scenario.get("retrain", level), axis) == 1


def test_the_scale_is_said_and_follows_the_largest_gap(results):
    results["cells"] = [
        cell for cell in results["cells"] if cell["method"] in ("retrain", "l1_sparse")
    ]
    for cell in results["cells"]:
        cell["gap"]["ta"] = 0.0 if cell["method"] == "retrain" else 3.2
    scenario = aggregate(results)[0]
    assert radar_scale(scenario) == 5
    assert "the centre is a gap of 5 points" in radar_note(scenario)
    assert "farther in is faster" in radar_note(scenario)


def test_polygons_are_drawn_where_the_radii_are(scenario):
    panel = _figure(scenario).axes[1]
    assert panel.get_title(loc="left") == "95 % OMP"
    level, axes = scenario.levels[1], radar_axes(scenario)
    expected = [
        corner(place, len(axes), radius(scenario, scenario.get("ga", level), axis))
        for place, axis in enumerate(axes)
    ]
    drawn = [np.transpose(line.get_data()) for line in panel.lines]
    closed = [*expected, expected[0]]
    assert any(line.shape == (6, 2) and np.allclose(line, closed) for line in drawn)


def test_a_method_slower_than_retrain_is_drawn_just_outside(results, find):
    for seed in range(3):
        find("ga", seed=seed)["rte_s"] = 10_000.0
    scenario = aggregate(results)[0]
    far = radius(scenario, scenario.get("ga", scenario.levels[0]), RTE)
    assert far > 3
    assert math.hypot(*corner(4, 5, far)) == pytest.approx(1.15)


def test_without_its_rim_there_is_no_radar(without_reference):
    scenario = aggregate(without_reference)[0]
    assert why_no_radar(scenario) == "No radar: Retrain, which is its rim, was not measured."
    assert draw_radar(scenario, "stem") == []


def test_levels_without_retrain_are_named(results):
    results["cells"] = [
        cell
        for cell in results["cells"]
        if not (cell["method"] == "retrain" and cell["pruner"] == "omp")
    ]
    scenario = aggregate(results)[0]
    (drawing,) = draw_radar(scenario, "stem")
    assert "None at 95 % OMP, where Retrain was not measured." in drawing.caption
    assert len(_figure(scenario).axes) == 1


def test_too_few_measures_make_no_polygon(results):
    for cell in results["cells"]:
        cell["gap"] = {"ua": 1.0, "ra": None, "ta": None, "mia_efficacy": None, "avg": 1.0}
    assert "fewer than 3 measures" in why_no_radar(aggregate(results)[0])
