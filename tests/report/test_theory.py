"""The theorem's table and figure, from a document that is made up."""

import json
from xml.etree import ElementTree

import pytest

from expunge.errors import DataError
from expunge.report.theory import draw_theory, load_theory, theory_tables, write_theory_figures

SVG = "{http://www.w3.org/2000/svg}"


def spread(mean, sd=0.01):
    return {"mean": mean, "sd": sd}


def row(pruner, sparsity, scenario="class:3"):
    scale = 1 - 0.9 * sparsity
    return {
        "scenario": scenario,
        "pruner": pruner,
        "sparsity": sparsity,
        "n": 3,
        "moved": spread(2 * scale),
        "sigma": spread(10 * scale, 20.0),
        "sigma_start": spread(5.0),
        "bound": spread(0.1 * scale),
        "ratio": spread(3.0),
        "distances": {"add_back": spread(0.3 * scale), "original": spread(1.0), "ft": spread(0.0)},
    }


@pytest.fixture
def document():
    rows = [
        row("none", 0.0),
        row("omp", 0.5),
        row("omp", 0.95),
        row("random", 0.5),
        row("none", 0.0, "random:0.1"),
    ]
    trend = {"scenario": "class:3", "pruner": "omp", "n": 3, "moved": None, "sparsity": -1.0}
    trend |= {"bound": 0.5, "sigma": 0.25, "sigma_start": 1.0}
    return {"schema": 1, "title": "Tiny", "points": [], "summary": rows, "trends": [trend]}


def test_a_table_a_scenario(document):
    first, second = theory_tables(document)
    assert first.title == "Forget class 3"
    assert [cells[0] for cells in first.rows] == ["dense", "50 % OMP", "95 % OMP", "50 % random"]
    assert first.header[5:8] == ["e(m)", "Original", "FT"]
    assert first.rows[0][1:4] == ["2.00 ± 0.01", "10.0 ± 20.0", "5.00 ± 0.01"]
    assert first.rows[0][4:6] == ["0.100 ± 0.010", "0.300 ± 0.010"]
    assert "n = 3" in first.notes[0]
    assert first.notes[1] == (
        "Rank correlation of e(m), OMP, 3 models: the bound 0.50, σ(m) at θt 0.25, "
        "σ(m) at θ0 1.00, ‖m⊙(θt−θ0)‖ —"
    )
    assert len(second.notes) == 1
    assert second.title == "Forget 10 % at random"
    assert len({len(first.header), *map(len, first.rows)}) == 1


def test_what_diverged_is_named(document):
    level = {"scenario": "class:3", "pruner": "random", "sparsity": 0.95, "seed": 4}
    document["diverged"] = [
        {**level, "reason": "diverged: a path"},
        {**level, "seed": 5, "reason": "diverged: a path"},
        {**level, "scenario": "class:1", "reason": "diverged: Retrain"},
    ]
    document["points"] = [{**level, "pruner": "none", "sparsity": 0.0, "diverged": {"ga": "no"}}]
    first, second, third = theory_tables(document)
    assert first.notes[2:] == [
        "No numbers: 95 % random, seed 4: diverged: a path",
        "No numbers: 95 % random, seed 5: diverged: a path",
        "No distance: GA on dense, seed 4: no",
    ]
    assert len(second.notes) == 1
    assert (third.title, third.rows) == ("Forget class 1", [])
    assert third.notes == ["No numbers: 95 % random, seed 4: diverged: Retrain"]


def test_a_figure_a_scenario(document, tmp_path):
    paths = write_theory_figures(document, tmp_path)
    assert [path.name for path in paths] == ["theory-class-3.svg", "theory-random-0.1.svg"]
    root = ElementTree.fromstring(paths[0].read_text(encoding="utf-8"))
    words = {element.text for element in root.iter(f"{SVG}text")}
    assert {"e(m), OMP", "bound, random", "Original", "sparsity, %", "95"} <= words
    assert not any("mathdefault" in word for word in words if word)
    assert draw_theory(document) == draw_theory(document)


def test_a_network_without_pruners_is_drawn(document):
    document["summary"] = document["summary"][:1]
    (drawing,) = draw_theory(document)
    assert "e(m), dense" in drawing.svg


def test_what_is_no_theory_document_is_refused(document, tmp_path):
    path = tmp_path / "theory.json"
    with pytest.raises(DataError, match="cannot read"):
        load_theory(path)
    for broken, words in (
        ([], "schema 1"),
        ({**document, "schema": 2}, "schema 1"),
        ({**document, "summary": []}, "empty"),
        ({**document, "trends": None}, "trends is missing"),
        ({**document, "summary": [{"scenario": "class:3"}]}, "summary 0: missing pruner"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(DataError, match=words):
            load_theory(path)
    path.write_text(json.dumps(document))
    assert load_theory(path) == document
