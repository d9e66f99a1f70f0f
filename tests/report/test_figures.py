import re
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from expunge.report import write_figures
from expunge.report.aggregate import aggregate
from expunge.report.drawing import PALETTE
from expunge.report.figures import draw
from expunge.report.gap_vs_time import _gap_ticks, _overlap, _time_ticks

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def small(results):
    """One scenario, to be quick."""
    results["cells"] = [cell for cell in results["cells"] if cell["scenario"] == "class:3"]
    return results


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def luminance(color):
    channels = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", PALETTE)
@pytest.mark.parametrize("paper", ["#fdfdfc", "#16181b"])
def test_colours_are_seen_on_light_and_dark(color, paper):
    assert contrast(color, paper) >= 3


def test_one_file_a_figure(small, folder):
    paths = write_figures(small, folder)
    assert [path.name for path in paths] == [
        "class-3-metrics.svg",
        "class-3-gap-vs-time.svg",
        "class-3-radar.svg",
        "class-3-sparsity.svg",
        "class-3-confidence.svg",
        "class-3-confidence-95-OMP.svg",
    ]
    assert sorted(folder.iterdir()) == sorted(paths)
    for path in paths:
        svg = path.read_text(encoding="utf-8")
        assert "prefers-color-scheme:dark" in svg
        ElementTree.fromstring(svg)


def test_the_same_results_give_the_same_bytes_and_settings_come_back(small):
    settings = dict(mpl.rcParams)
    first = [drawing.svg for drawing in draw(aggregate(small))]
    assert [drawing.svg for drawing in draw(aggregate(small))] == first
    assert dict(mpl.rcParams) == settings


def test_text_is_text_and_ink_follows_the_page(small):
    for drawing in draw(aggregate(small)):
        svg = drawing.svg
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "#000000" not in svg
        assert "DejaVu" not in svg
        assert "<style" not in svg
        assert not re.search(r"\d{4}-\d\d-\d\d", svg), "no date"
        assert 'role="img"' in svg
        ids = re.findall(r' id="([^"]*)"', svg)
        assert len(set(ids)) == len(ids)
        assert all(name.startswith(drawing.name) for name in ids)
        used = re.findall(r'(?:href="|url\()#([^")]*)', svg)
        assert used
        assert set(used) <= set(ids)


def test_each_figure_names_its_methods_and_levels(small):
    metrics, time, radar, sparsity, dense, sparse = draw(aggregate(small))
    for name in ("Original", "FT", "GA", "ℓ1-sparse", "UA", "RA", "TA", "MIA-efficacy"):
        assert name in texts(metrics.svg)
    for name in ("dense", "95 % OMP", "Retrain, dense"):
        assert name in texts(metrics.svg)
    for name in ("Retrain", "FT", "GA", "ℓ1-sparse", "1 min", "Original, 95 % OMP"):
        assert texts(time.svg).count(name) == 1
    for name in ("rim: Retrain", "FT", "dense", "95 % OMP", "RTE", "MIA-efficacy"):
        assert name in texts(radar.svg)
    for name in ("Retrain", "ℓ1-sparse", "UA, %", "Mean gap, points", "95"):
        assert name in texts(sparsity.svg)
    assert {"Retrain", "FT", "GA", "ℓ1-sparse", "Forget", "Retain", "Test"} <= set(texts(dense.svg))
    assert "ℓ1-sparse" not in texts(sparse.svg)


def test_names_are_text_whatever_is_in_them(small):
    nasty = "$x_1^{$ <script>alert(1)</script> \x00 漢字 \ud800"
    for cell in small["cells"]:
        cell["scenario"] = "ids:../../etc/<x>"
        if cell["method"] == "ga":
            cell["method"] = nasty
    drawings = draw(aggregate(small))
    assert drawings[0].name == "ids-etc-x-metrics"
    for drawing in drawings:
        assert "<script" not in drawing.svg
        ElementTree.fromstring(drawing.svg)
    assert any(text.startswith("$x-1^{$ <scr") for text in texts(drawings[0].svg))


def test_scenarios_with_like_names_have_files_of_their_own(results):
    for cell in results["cells"]:
        cell["confidence"] = None
        cell["scenario"] = {"class:3": "A b", "random:0.1": "a:B"}[cell["scenario"]]
    names = [drawing.name for drawing in draw(aggregate(results))]
    kinds = ("metrics", "gap-vs-time", "radar", "sparsity")
    assert names == [f"{stem}-{kind}" for stem in ("A-b", "a-B-2") for kind in kinds]


def test_without_a_reference_there_is_no_gap_to_draw(without_reference):
    scenario = aggregate(without_reference)[0]
    drawings = draw([scenario])
    kinds = [drawing.kind for drawing in drawings]
    assert kinds == ["metrics", "sparsity", "confidence", "confidence"]
    assert "nothing to compare with" in drawings[0].caption
    assert not any("Retrain" in text for text in texts(drawings[0].svg))


def test_references_alone_have_their_distributions_only(small):
    small["cells"] = [c for c in small["cells"] if c["method"] in ("retrain", "original")]
    assert {drawing.kind for drawing in draw(aggregate(small))} == {"confidence"}


def test_missing_values_and_many_levels_are_drawn(small):
    cells = [cell for cell in small["cells"] if cell["pruner"] == "none"]
    for cell in cells:
        cell["confidence"] = None
        cell["metrics"]["ra"] = None
        if cell["method"] == "ga":
            cell["metrics"]["ua"] = None
            cell["rte_s"] = 0.0
    more = [
        {**cell, "pruner": "omp", "sparsity": sparsity}
        for cell in cells
        for sparsity in (0.1, 0.2, 0.5, 0.75, 0.9, 0.95, 0.99)
    ]
    small["cells"] = cells + more
    metrics, time, radar, sparsity = draw(aggregate(small))
    assert "99 % OMP" in texts(metrics.svg)
    assert "99 % OMP" in texts(radar.svg)
    assert "99" in texts(sparsity.svg)
    assert "RA, %" not in texts(sparsity.svg), "without a value"
    assert "GA" not in texts(time.svg)


def test_gaps_of_zero_still_have_an_axis(small):
    for cell in small["cells"]:
        cell["confidence"] = None
        cell["gap"] = dict.fromkeys(cell["gap"], 0.0)
    assert "FT" in texts(draw(aggregate(small))[1].svg)


def test_ticks_are_round_and_few():
    assert _time_ticks(15, 5000) == [20, 30, 60, 120, 300, 600, 1200, 1800, 3600]
    assert _time_ticks(0.5, 5000) == [1, 10, 60, 600, 3600]
    assert _gap_ticks(49) == [0, 1, 2, 5, 10, 20, 50]
    assert _gap_ticks(0) == [0]


def test_overlap_of_boxes():
    assert _overlap((0, 0, 2, 2), (1, 1, 3, 3)) == 1
    assert _overlap((0, 0, 1, 1), (2, 0, 3, 1)) == 0
