"""The picture of accuracy by group."""

import re

import pytest

from expunge.errors import DataError
from expunge.report import render_html
from expunge.report.aggregate import aggregate
from expunge.report.bias import draw_bias
from expunge.report.results import check_results

METHODS = ("retrain", "original", "ft")


@pytest.fixture
def biased(results):
    """Accuracy of two classes in three groups; the last group has no sample of class b."""
    results["cells"] = [
        cell
        for cell in results["cells"]
        if cell["scenario"] == "class:3" and cell["method"] in METHODS
    ]
    for cell in results["cells"]:
        low = 90.0 if cell["method"] == "retrain" else 40.0 + cell["seed"]
        cell["group_accuracy"] = {
            "patch of a": {"a": 100.0, "b": low},
            "patch of b": {"a": low, "b": 100.0},
            "neither": {"a": 90.0, "b": None},
        }
    return results


def test_accuracy_is_the_mean_over_seeds(biased):
    (scenario,) = aggregate(check_results(biased))
    group = scenario.get("ft", scenario.levels[0])
    seeds = sorted(group.seeds)
    expected = 40 + sum(seeds) / len(seeds)
    assert group.by_group["patch of a"] == {"a": 100.0, "b": pytest.approx(expected)}
    assert group.by_group["neither"] == {"a": 90.0, "b": None}


def test_there_is_a_map_for_each_method_at_each_level(biased):
    (scenario,) = aggregate(check_results(biased))
    drawings = draw_bias(scenario, "class-3")
    assert [drawing.name for drawing in drawings] == ["class-3-groups", "class-3-groups-95-OMP"]
    for drawing in drawings:
        for title in ("Retrain", "Original", "FT"):
            assert f">{title}<" in drawing.svg
        # Every class and group is named; marks by their class.
        assert drawing.svg.count(">neither<") == 3
        # Five of six squares in each of three maps, and none for the group without a sample.
        maps = re.findall(r'<g id="[^"]*QuadMesh_\d+">(.*?)</g>', drawing.svg, re.DOTALL)
        assert [len(re.findall("fill: #", each)) for each in maps[:3]] == [5, 5, 5]


def test_colours_tell_accuracies_apart(biased):
    (scenario,) = aggregate(check_results(biased))
    svg = draw_bias(scenario, "x")[0].svg
    maps = re.findall(r'<g id="[^"]*QuadMesh_\d+">(.*?)</g>', svg, re.DOTALL)
    colours = [re.findall(r"fill: (#\w+)", each) for each in maps[:3]]
    retrain, original, ft = colours
    assert len(set(original)) == 3
    assert original == ft
    assert retrain != original


def test_without_groups_there_is_no_map(results):
    assert draw_bias(aggregate(check_results(results))[0], "x") == []


def test_the_page_shows_the_maps(biased):
    page = render_html(biased)
    assert "accuracy by group, dense" in page
    assert "accuracy by group, 95 % OMP" in page


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ([1], "group_accuracy must be an object or null"),
        ({"a": 1.0}, "group_accuracy: a must be an object"),
        ({"a": {"b": "c"}}, "group_accuracy: a: b must be a number or null"),
    ],
)
def test_accuracies_that_cannot_be_shown_are_refused(biased, value, match):
    biased["cells"][0]["group_accuracy"] = value
    with pytest.raises(DataError, match=match):
        check_results(biased)
