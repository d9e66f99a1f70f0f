"""`expunge report`: one results document, and several in one report."""

import json

import pytest
from tests.cli.conftest import ok
from tests.report.conftest import build


@pytest.fixture
def documents(tmp_path):
    """Two files of results: two scenarios, and another one."""
    both, other = build(1), build(1)
    other["cells"] = [cell for cell in other["cells"] if cell["scenario"] == "class:3"]
    for cell in other["cells"]:
        cell["scenario"] = "class:7"
    paths = []
    for name, document in (("one", both), ("two", other)):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "results.json")
        paths[-1].write_text(json.dumps(document))
    return paths


def test_a_report_is_written_beside_its_results(command, documents):
    code, out, err = command("report", documents[0])
    assert code == 0, err
    assert "Forget class 3, dense" in out
    page = (documents[0].parent / "report.html").read_text()
    assert "Forget 10 % at random" in page
    assert "Forget class 7" not in page


def test_several_joined_results_make_one_report_beside_the_first(command, documents):
    # A folder stands for the results in it.
    code, out, err = command("report", "--join", documents[0], documents[1].parent, "--json")
    assert code == 0, err
    written = json.loads(out)
    assert written["cells"] == 27
    assert written["report"] == str(documents[0].parent / "report.html")
    page = (documents[0].parent / "report.html").read_text()
    assert "Forget 10 % at random" in page
    assert "Forget class 7" in page
    assert not (documents[1].parent / "report.html").exists()


def test_the_same_results_joined_are_refused(command, documents):
    code, _, err = command("report", documents[0], documents[0], "--join")
    assert code == 2
    assert err == "error: two results hold the scenario 'class:3': report them apart\n"


def test_comparisons_are_printed_and_in_json(command, tmp_path):
    path = tmp_path / "results.json"
    document = build(2)
    cell = {"scenario": "class:3", "method": "ft", "source": "A paper", "how": "read"}
    document["settings"]["published"] = [{**cell, "values": {"ua": [22.53, 8.16]}}]
    path.write_text(json.dumps(document))
    code, out, err = command("report", path)
    assert code == 0, err
    assert "Forget class 3: paired differences between methods" in out
    assert "Forget class 3: published beside measured" in out
    code, out, err = command("report", path, "--json")
    (published,) = json.loads(out)["published"]
    assert published["values"][0]["published"] == 22.53
    paired = json.loads(out)["paired"]
    assert {each["n"] for each in paired} == {2}
    assert {each["scenario"] for each in paired} == {"class:3", "random:0.1"}


def test_two_results_are_compared_and_nothing_is_written(command, documents):
    both = json.loads(documents[0].read_text())
    for cell in both["cells"]:
        cell["metrics"]["ua"] = 50.0
    documents[1].write_text(json.dumps(both))
    before = sorted(documents[0].parent.parent.rglob("*"))
    out = ok(command("report", documents[0], documents[1].parent))
    assert out.startswith(f"A: {documents[0]}")
    assert "Settings and environments are the same." in out
    assert "too few seeds" in out
    found = json.loads(ok(command("report", *documents, "--json")))
    assert found["second"] == str(documents[1])
    assert {each["first"]["mean"] for each in found["differences"]} != {50.0}
    ua = [each for each in found["differences"] if each["measure"] == "ua"]
    assert {each["second"]["mean"] for each in ua} == {50.0}
    assert sorted(documents[0].parent.parent.rglob("*")) == before


def test_results_that_do_not_compare_are_refused_in_one_line(command, documents):
    code, out, err = command("report", *documents)
    assert (code, out) == (2, "")
    assert err.startswith("error: the two results have no scenario in common")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["A", "B", "A"], "expected one result, or two to compare, got 3"),
        (["A", "B", "--out", "here"], "--out is for one report"),
        (["A", "B", "--export", "csv", "here.csv"], "--export is for one report"),
        (["A", "--out", "here", "--export", "csv", "here.csv"], "--export names its own place"),
        (["A", "--export", "cvs", "here.csv"], "unknown export 'cvs'"),
        (["A", "--export", "csv", "A"], "would replace the results"),
        (["A", "--export", "csv", "missing/here.csv"], "the folder missing does not exist"),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    command, documents, words, line, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = documents[0].read_bytes()
    places = {"A": documents[0], "B": documents[1]}
    code, _, err = command("report", *(places.get(word, word) for word in words))
    assert code == 2
    assert line in err
    assert err.count("\n") == 1
    assert documents[0].read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize(("name", "file"), [("csv", "a.csv"), ("markdown", "a.md"), ("latex", "")])
def test_an_export_is_written_instead_of_a_report(command, documents, tmp_path, name, file):
    place = tmp_path / "new" if not file else tmp_path / file
    written = json.loads(ok(command("report", documents[0], "--export", name, place, "--json")))
    target = place / "results.tex" if not file else place
    assert written == {"export": str(target), "format": name, "cells": 18}
    assert "class:3" in target.read_text() or "Forget class 3" in target.read_text()
    assert not (documents[0].parent / "report.html").exists()
    assert str(target) in ok(command("report", documents[0], "--export", name, place))
