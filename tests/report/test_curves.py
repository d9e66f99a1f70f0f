"""Curves over sparsity: means where the levels are, bands around them."""

import math

import numpy as np
import pytest
from scipy import stats

from expunge.report.aggregate import aggregate
from expunge.report.curves import _figure, density_steps, draw_curves, pruners, why_no_curves
from expunge.report.method_marks import method_marks


def values(results, method, pruner, key):
    return [
        cell["metrics"][key]
        for cell in results["cells"]
        if (cell["scenario"], cell["method"], cell["pruner"]) == ("class:3", method, pruner)
    ]


def test_means_and_bands_stand_at_their_levels(results):
    scenario = aggregate(results)[0]
    panel = _figure(scenario).axes[0]
    assert panel.get_title(loc="left") == "UA, %"
    look = method_marks(scenario)["ft"]
    (line,) = [each for each in panel.lines if each.get_color() == look.color]
    seeds = [values(results, "ft", pruner, "ua") for pruner in ("none", "omp")]
    assert line.get_xdata() == pytest.approx([0, -math.log(0.05)])
    assert line.get_ydata() == pytest.approx(np.mean(seeds, axis=1))
    corners = {
        tuple(np.round(place, 6))
        for band in panel.collections
        for path in band.get_paths()
        for place in path.vertices
    }
    for x, each in zip(line.get_xdata(), seeds, strict=True):
        for bound in stats.ttest_1samp(each, 0).confidence_interval(0.95):
            assert (round(x, 6), round(bound, 6)) in corners


def test_one_seed_has_curves_without_bands(one_seed):
    panels = _figure(aggregate(one_seed)[0]).axes
    assert all(
        not path.vertices.size
        for panel in panels
        for band in panel.collections
        for path in band.get_paths()
    )
    assert len(panels) == 5


def test_one_level_has_no_curves_and_says_so(results):
    results["cells"] = [cell for cell in results["cells"] if cell["pruner"] == "none"]
    scenario = aggregate(results)[0]
    assert why_no_curves(scenario) == "No curves over sparsity: one level was measured, dense."
    assert draw_curves(scenario, "stem") == []


def test_every_pruner_has_its_curve_from_the_dense_model(results):
    more = [{**cell, "pruner": "synflow"} for cell in results["cells"] if cell["pruner"] == "omp"]
    results["cells"] += more
    scenario = aggregate(results)[0]
    assert pruners(scenario) == ["omp", "synflow"]
    figure = _figure(scenario)
    assert [text.get_text() for text in figure.legends[0].texts][-2:] == ["OMP", "synflow"]
    look = method_marks(scenario)["ft"]
    lines = [each for each in figure.axes[0].lines if each.get_color() == look.color]
    assert {line.get_linestyle() for line in lines} == {"-", "--"}
    assert len({tuple(line.get_ydata()) for line in lines}) == 1


def test_nothing_left_still_has_a_place():
    assert density_steps(1.0) == density_steps(0.9999) < 10


def test_twelve_methods_look_different(results):
    cells = [cell for cell in results["cells"] if cell["method"] == "ft"]
    results["cells"] = [
        {**cell, "method": f"ft at {number}"} for number in range(12) for cell in cells
    ]
    looks = method_marks(aggregate(results)[0]).values()
    assert len({(look.color, look.marker, look.hollow) for look in looks}) == 12
    assert len({(look.color, look.dashes) for look in looks}) == 12
