"""`expunge report`: one results document, and several in one report."""

import json

import pytest
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


def test_several_results_make_one_report_beside_the_first(command, documents):
    # A folder stands for the results in it.
    code, out, err = command("report", documents[0], documents[1].parent, "--json")
    assert code == 0, err
    written = json.loads(out)
    assert written["cells"] == 27
    assert written["report"] == str(documents[0].parent / "report.html")
    page = (documents[0].parent / "report.html").read_text()
    assert "Forget 10 % at random" in page
    assert "Forget class 7" in page
    assert not (documents[1].parent / "report.html").exists()


def test_the_same_results_twice_are_refused(command, documents):
    code, _, err = command("report", documents[0], documents[0])
    assert code == 2
    assert err == "error: two results hold the scenario 'class:3': report them apart\n"


def test_paired_differences_are_printed_and_in_json(command, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(build(2)))
    code, out, err = command("report", path)
    assert code == 0, err
    assert "Forget class 3: paired differences between methods" in out
    code, out, err = command("report", path, "--json")
    paired = json.loads(out)["paired"]
    assert {each["n"] for each in paired} == {2}
    assert {each["scenario"] for each in paired} == {"class:3", "random:0.1"}
