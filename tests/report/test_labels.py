"""Labels of methods in a report: a row each, under a title that tells which method it is."""

import pytest

from expunge.errors import DataError
from expunge.report import to_markdown, to_text
from expunge.report.aggregate import aggregate
from expunge.report.html import render_html
from expunge.report.results import check_results


@pytest.fixture
def labelled(results):
    """FT and ℓ1-sparse as two labels of FT, one with a title; claimed to differ."""
    for cell in results["cells"]:
        if cell["method"] in ("ft", "l1_sparse"):
            cell["of"] = "ft"
            cell["method"] = {"ft": "ft_short", "l1_sparse": "ft_long"}[cell["method"]]
            cell |= {"title": "FT, ten passes"} if cell["method"] == "ft_long" else {}
    side = {"method": "ft_long", "pruner": "none", "sparsity": 0.0}
    results["settings"]["claims"] = [
        {
            "name": "c",
            "scenario": "class:3",
            "first": side,
            "second": {**side, "method": "ft_short"},
            "direction": "lower",
            "effect": 1.0,
            "measure": "gap",
        }
    ]
    return results


def test_labels_are_put_together_apart_and_called_by_their_titles(labelled):
    scenario = aggregate(labelled)[0]
    assert scenario.methods == ("ft_short", "ga", "ft_long")
    assert [scenario.title(method) for method in scenario.rows] == [
        *("Retrain", "Original", "FT (ft_short)", "GA", "FT, ten passes"),
    ]
    table = to_text(labelled)[0]
    assert [row[0] for row in table.rows][2:] == ["FT (ft_short)", "GA", "FT, ten passes"]
    notes = to_text(labelled)[1].notes
    assert any("FT, ten passes dense minus FT (ft_short) dense" in note for note in notes)


def test_no_part_of_a_report_shows_a_bare_label(labelled):
    del labelled["settings"]["claims"]  # which are shown as they were written
    page = render_html(labelled)
    assert "FT, ten passes" in page
    assert "ft_long" not in page
    assert page.count("ft_short") == page.count("FT (ft_short)")
    assert "FT-LONG" not in page.upper().replace("_", "-")
    assert "ft_long" not in to_markdown(labelled)


def test_a_label_that_stands_for_two_methods_is_refused(labelled):
    labelled["cells"][-1] |= {"method": "ga", "of": "iu"}
    with pytest.raises(DataError, match="method 'ga' stands for something else than in the cells"):
        check_results(labelled)


@pytest.mark.parametrize(("name", "value"), [("of", 3), ("title", [])])
def test_words_about_a_label_are_texts(labelled, name, value):
    labelled["cells"][0][name] = value
    with pytest.raises(DataError, match=f"{name} must be text or null"):
        check_results(labelled)
