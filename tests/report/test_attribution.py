"""The attribution study's tables, figures and page."""

import json

import numpy as np
import pytest

from expunge.errors import DataError
from expunge.report.attribution import attribution_tables, load_attribution
from expunge.report.attribution_figures import draw_attribution, draw_memorised
from expunge.report.attribution_page import write_attribution
from expunge.report.explanation import draw_explanation, explanation_tables


def spread(mean, low=None, high=None, sd=None):
    return {"mean": mean, "low": low, "high": high, "sd": sd}


@pytest.fixture
def document():
    scores = [
        {
            "seed": seed,
            "retained": 0.5,
            "attributor": label,
            "mean": value,
            "subsets": 9,
            "targets": 4,
            "constant": 1,
        }
        for label, values in {"dot": (0.2, 0.4), "another seed": (0.5, 0.7)}.items()
        for seed, value in enumerate(values)
    ]
    scores.append(
        {"seed": 0, "retained": 0.5, "attributor": "<b>", "mean": None, "reason": "too few"}
    )
    weights = [
        {"scenario": "class:3", "rule": rule, "share": share, "n": 2}
        | {"ua": spread(ua, sd=1.5), "ra": spread(ra), "ta": spread(50.0)}
        for rule, share, ua, ra in (
            ("none", 0.0, 0.0, 100.0),
            ("product", 0.1, 90.0, 40.0),
            ("random", 0.1, 5.0, 97.0),
        )
    ]
    return {
        "schema": 1,
        "title": "Tiny & small",
        "reproduce": "expunge attribution tiny.toml",
        "scores": scores,
        "left_out": [
            {"seed": 1, "scenario": "class:3", "sparsity": 0.99, "reason": "a layer is empty"}
        ],
        "memorisation": [
            {
                "seed": 0,
                "samples": 30,
                "memorised": 4,
                "mean": 0.125,
                "most": [{"id": "a", "class": "3", "estimate": 0.9}],
            }
        ],
        "summary": {
            "lds": [
                {"retained": 0.5, "attributor": "dot", "n": 2, "mean": spread(0.3, 0.1, 0.5)},
                {"retained": 0.5, "attributor": "another seed", "n": 2, "mean": spread(0.6)},
                {"retained": 0.5, "attributor": "<b>", "n": 1},
            ],
            "weights": weights,
            "overlaps": [
                {"scenario": "class:3", "rule": "product", "share": 0.1, "sparsity": 0.9, "n": 2}
                | {"kept": spread(0.8), "chance": spread(0.1)}
            ],
        },
        "claims": [
            {
                "name": "one",
                "measure": "lds",
                "verdict": "holds",
                "difference": 0.25,
                "low": 0.1,
                "high": 0.4,
                "direction": "higher",
                "effect": 0.05,
                "n": 2,
            }
        ],
    }


def cells(table):
    return [cell for row in table.rows for cell in row]


def test_tables_hold_every_number_with_its_interval(document):
    claims, lds, weights, kept, memorised = attribution_tables(document)
    assert claims.rows == [["one", "holds", "+0.25", "+0.1 to +0.4", "higher by 0.05", "2"]]
    assert lds.rows[0] == ["dot", "0.300 (0.100 to 0.500)"]
    assert lds.rows[-1] == ["ceiling: another seed", "0.600"]
    assert ["<b>", "—"] in lds.rows
    assert "Seed 0, <b>: too few." in lds.notes
    assert any("Up to 1 targets" in note for note in lds.notes)
    assert lds.notes[0].startswith("9 subset models a share and seed, 4 targets.")
    assert "t-interval over them" in lds.notes[1]
    assert weights.rows[0][0] == "none"
    assert "90.0 ± 1.5" in cells(weights)
    assert "Seed 1 lacks OMP at 99 %: a layer is empty." in kept.notes
    assert kept.rows == [["10 % by |θ·∂L/∂θ|", "80"], ["chance", "10"]]
    assert memorised.rows == [["0", "30", "4", "0.125", "a"]]


def test_the_page_has_its_figures_and_runs_no_script(document, tmp_path):
    pictures = {"a": np.zeros((4, 4), np.uint8)}
    page, *figures = write_attribution(document, tmp_path, pictures)
    text = page.read_text()
    assert text.count("<svg") == len(figures) == 3
    assert "<script" not in text
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "Tiny &amp; small" in text
    assert all(path.exists() for path in figures)


def test_the_page_has_every_table_whatever_the_scenario(document, tmp_path):
    for rows in (document["summary"]["weights"], document["summary"]["overlaps"]):
        for row in rows:
            row["scenario"] = "corrected:relabel"
    document["claims"] = []
    page, *_ = write_attribution(document, tmp_path, {})
    text = page.read_text()
    tables = attribution_tables(document)
    assert len(tables) == 4
    assert "<h2>Claims</h2>" not in text
    assert all(text.count(f"<caption>{table.title}</caption>") == 1 for table in tables)


def test_the_same_document_gives_the_same_figures(document):
    first, second = (draw_attribution(document) for _ in range(2))
    assert [each.svg for each in first] == [each.svg for each in second]
    assert draw_memorised(document, {}) == []


def test_a_single_seed_has_the_interval_of_its_subset_models(document):
    document["scores"] = [
        row | {"low": 0.125, "high": 0.25} for row in document["scores"] if row["seed"] == 0
    ]
    for row in document["summary"]["lds"]:
        row["n"] = 1
    lds = attribution_tables(document)[1]
    assert lds.rows[0] == ["dot", "0.200 (0.125 to 0.250)"]
    assert "bootstrap over its subset models" in lds.notes[1]


def test_a_single_seed_has_no_whiskers(document):
    for row in document["summary"]["lds"]:
        if "mean" in row:
            row["mean"] |= {"low": None, "high": None}
    assert len(draw_attribution(document)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document | {"schema": 9}, "expected an object with schema 1"),
        (lambda document: document | {"summary": {}}, "summary.lds is missing"),
        (lambda document: [document], "expected an object with schema 1"),
    ],
)
def test_other_documents_are_refused(document, tmp_path, change, message):
    path = tmp_path / "attribution.json"
    path.write_text(json.dumps(change(document)))
    with pytest.raises(DataError, match=message):
        load_attribution(path)
    with pytest.raises(DataError, match="cannot read"):
        load_attribution(tmp_path / "missing.json")


def test_an_explanation_names_every_sample_and_shows_it():
    sample = {"id": "s1", "class": "cat", "score": 0.5}
    document = {
        "targets": [
            {
                "id": "t",
                "class": "cat",
                "called": "dog",
                "helpful": [sample],
                "harmful": [sample | {"id": "s2", "score": -0.25}, sample | {"id": "s3"}],
            }
        ]
    }
    (table,) = explanation_tables(document)
    assert table.title == "t: class cat, called dog"
    assert table.rows[0] == ["1", "s1", "cat", "0.5", "s2", "cat", "-0.25"]
    assert table.rows[1][:4] == ["2", "", "", ""]
    pictures = {name: np.full((4, 4, 3), 9, np.uint8) for name in ("t", "s1", "s2")}
    (drawing,) = draw_explanation(document, pictures)
    assert drawing.svg.count("data:image/png") == 3
    assert draw_explanation(document, {}) == []
