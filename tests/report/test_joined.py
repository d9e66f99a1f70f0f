"""Several results documents in one report."""

import copy

import pytest

from expunge.errors import DataError
from expunge.report import render_html, to_text
from expunge.report.joined import joined


@pytest.fixture
def other(results):
    """Another experiment: one scenario, other metrics, made elsewhere."""
    document = copy.deepcopy(results)
    document["title"] = "Poisoned"
    document["reproduce"] = "expunge bench poisoned.toml"
    document["makers"] = [results["makers"][0] | {"cpu": "Other CPU"}]
    document["settings"] = {"data": {"source": "digits"}}
    document["cells"] = [cell for cell in document["cells"] if cell["scenario"] == "class:3"]
    for name in ("mia_efficacy", "mia_privacy", "confidence", "sparsity_at"):
        del document["metrics"][name]
    document["metrics"]["asr"] = {"unit": "percent", "compared": False, "title": "ASR"}
    for cell in document["cells"]:
        cell["scenario"] = "edited:badnets"
        for name in ("mia_efficacy", "mia_privacy"):
            del cell["metrics"][name]
        for gap in (cell["gap"], cell["gap_dense"]):
            del gap["mia_efficacy"]
        for name in ("confidence", "sparsity_at", "draws"):
            del cell[name]
        cell["metrics"]["asr"] = 50.0
    return document


def test_scenarios_stand_one_below_the_other(results, other):
    both = joined([results, other])
    assert both["title"] == results["title"]
    assert len(both["cells"]) == len(results["cells"]) + len(other["cells"])
    assert both["settings"]["Poisoned"] == {"data": {"source": "digits"}}
    assert both["reproduce"].splitlines() == [results["reproduce"], other["reproduce"]]
    makers = [both["makers"][cell["made_by"]]["cpu"] for cell in both["cells"]]
    assert makers == ["Example CPU"] * len(results["cells"]) + ["Other CPU"] * len(other["cells"])
    page = render_html(both)
    assert "Forget class 3" in page
    assert "Trojan cleanse" in page
    # A measure that a whole scenario lacks has no column there.
    headers = {table.title: table.header for table in to_text(both)}
    assert "MIA-efficacy" in headers["Forget class 3, dense"]
    assert "MIA-efficacy" not in headers["Forget what badnets changed, dense"]


def test_pictures_and_images_of_all_are_shown(results, other):
    dot = "iVBORw0KGgo="
    model = {"pruner": "none", "sparsity": 0.0, "method": "ft"}
    for document, scenario in ((results, "class:3"), (other, "edited:badnets")):
        about = {"scenario": scenario, "seed": 0}
        sample = {"label": "3", "clean": dot, "triggered": dot}
        document["pictures"] = [
            {**about, "samples": [sample], "says": [{**model, "clean": None, "triggered": None}]}
        ]
        document["images"] = [
            {
                **about,
                "classes": ["3"],
                "forgotten": [True],
                "models": [{**model, "images": [[dot]]}],
            }
        ]
    both = joined([results, other])
    for name in ("pictures", "images"):
        assert both[name] == results[name] + other[name]
    # Nor are those of the second lost where the first has none.
    del results["images"]
    assert joined([results, other])["images"] == other["images"]


def test_the_same_maker_is_one(results, other):
    other["makers"] = copy.deepcopy(results["makers"])
    assert len(joined([results, other])["makers"]) == 1


def test_one_document_is_itself(results):
    assert joined([results]) == results


def test_a_cell_may_not_lack_what_its_scenario_has(results, other):
    del other["cells"][0]["metrics"]["asr"]
    with pytest.raises(DataError, match="missing asr"):
        joined([results, other])


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (lambda one, other: [], "expected one or more results documents"),
        (lambda one, other: [one, one], "two results hold the scenario 'class:3'"),
        (lambda one, other: [one, {}], "expected schema"),
    ],
)
def test_documents_that_do_not_go_together_are_refused(results, other, documents, message):
    with pytest.raises(DataError, match=message):
        joined(documents(results, other))
