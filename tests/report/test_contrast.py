"""Two results compared: intervals are scipy's, and what cannot be compared is refused."""

import copy

import numpy as np
import pytest
from scipy import stats

from expunge.errors import DataError
from expunge.report.contrast import contrast
from expunge.report.contrast_text import contrast_json, difference_tables, setting_lines


@pytest.fixture
def other(results):
    """The same experiment with another setting of GA, whose values differ."""
    other = copy.deepcopy(results)
    other["settings"]["methods"][3]["lr"] = 5e-4
    rng = np.random.default_rng(0)
    for cell in other["cells"]:
        if cell["method"] == "ga":
            cell["run"] += "-other"
            cell["metrics"]["ua"] = float(rng.uniform(80, 100))
            cell["rte_s"] *= 2
    return other


def values(document, key, pruner="none", method="ga"):
    return [
        cell["metrics"][key]
        for cell in document["cells"]
        if (cell["scenario"], cell["method"], cell["pruner"]) == ("class:3", method, pruner)
    ]


def find(found, measure="ua", method="ga", pruner="none"):
    (one,) = [
        each
        for each in contrast_json(found)["differences"]
        if (each["scenario"], each["method"], each["pruner"], each["measure"])
        == ("class:3", method, pruner, measure)
    ]
    return one


def test_the_same_setting_is_paired_by_seed(results, other):
    found = find(contrast(results, other))
    differences = np.subtract(values(other, "ua"), values(results, "ua"))
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found["kind"] == "paired"
    assert found["difference"] == pytest.approx(differences.mean())
    assert (found["low"], found["high"]) == (pytest.approx(low), pytest.approx(high))
    assert (found["n"], found["unit"]) == (3, "percent")
    assert found["first"] == {
        "mean": pytest.approx(np.mean(values(results, "ua"))),
        "seeds": [0, 1, 2],
    }


@pytest.mark.parametrize("name", ["data", "network", "training"])
def test_another_setting_is_compared_by_welch(results, other, name):
    for document in (results, other):
        document["settings"]["network"] = {"name": "resnet18"}
    other["settings"][name] = {**other["settings"][name], "changed": 1}
    found = find(contrast(results, other))
    test = stats.ttest_ind(values(other, "ua"), values(results, "ua"), equal_var=False)
    interval = test.confidence_interval(0.95)
    assert found["kind"] == "welch"
    assert (found["low"], found["high"]) == pytest.approx(tuple(interval))
    tables = difference_tables(contrast(results, other))
    assert any("seeds do not pair" in note for note in tables[-1].notes)


@pytest.fixture(autouse=True)
def has_a_network(results):
    """As documents that the benchmark writes have one."""
    results["settings"]["network"] = results["settings"].pop("model")


def test_settings_without_a_network_are_not_taken_for_the_same(results, other):
    for document in (results, other):
        document["settings"].pop("network")
    assert not contrast(results, other).paired


def test_seeds_that_do_not_meet_are_compared_by_welch(results, other):
    for cell in other["cells"]:
        cell["seed"] += 10
    assert find(contrast(results, other))["kind"] == "welch"
    for cell in other["cells"]:
        cell["seed"] -= 9
    found = find(contrast(results, other))
    assert (found["kind"], found["n"]) == ("paired", 2)


def test_one_seed_has_no_interval(results, other):
    other["cells"] = [cell for cell in other["cells"] if cell["seed"] == 1]
    found = find(contrast(results, other))
    assert (found["kind"], found["low"], found["n"]) == (None, None, None)
    assert found["difference"] == pytest.approx(
        values(other, "ua")[0] - np.mean(values(results, "ua"))
    )
    table = difference_tables(contrast(results, other))[0]
    assert "too few seeds" in table.rows[0]


def test_what_differs_in_settings_comes_first(results, other):
    other["makers"][0]["cpu"] = "Other CPU"
    other["makers"][0]["date"] = "another day"
    del other["settings"]["data"]["test"]
    assert setting_lines(contrast(results, other)) == [
        "Settings that differ, A against B:",
        "  data.test: 10000 against not set",
        "  methods[3].lr: 0.0001 against 0.0005",
        "  environment.cpu: Example CPU against Other CPU",
    ]
    same = contrast(results, copy.deepcopy(results))
    assert setting_lines(same) == ["Settings and environments are the same."]


def test_what_only_one_has_is_named(results, other):
    results["cells"] = [cell for cell in results["cells"] if cell["method"] != "ft"]
    other["cells"] = [
        cell
        for cell in other["cells"]
        if (cell["method"], cell["scenario"]) != ("l1_sparse", "class:3")
    ]
    found = contrast(results, other)
    assert found.only_first == ("l1_sparse in class:3, dense",)
    assert "ft in class:3, 95 % OMP" in found.only_second
    notes = difference_tables(found)[-1].notes
    assert "Only in A: l1_sparse in class:3, dense." in notes


def test_tables_show_what_differs_and_name_what_is_the_same(results, other):
    tables = difference_tables(contrast(results, other))
    assert [table.title for table in tables] == [
        "Forget class 3, dense: B minus A",
        "Forget class 3, 95 % OMP: B minus A",
        "Forget 10 % at random, dense: B minus A",
        "Forget 10 % at random, 95 % OMP: B minus A",
    ]
    rows = {row[1]: row for row in tables[0].rows}
    assert {row[0] for row in tables[0].rows} == {"GA"}
    assert rows["RTE"][4].startswith("+20")
    assert rows["UA"][6] == "3 pairs"
    assert tables[0].notes[0].endswith("in both: Retrain, Original, FT and ℓ1-sparse.")
    assert "same in all 3" in rows["TA"][5]


def test_retrains_gap_to_itself_is_not_compared(results, other):
    found = {
        (each.level.sparsity, each.measure)
        for each in contrast(results, other).differences
        if each.method == "retrain"
    }
    measures = {measure for _, measure in found}
    assert "ua" in measures
    assert not {each for each in measures if each.partition(".")[0] == "gap"}
    # Only sparse, it has a gap to dense Retrain.
    dense = {sparsity for sparsity, each in found if each.partition(".")[0] == "gap_dense"}
    assert dense == {0.95}


def test_other_data_and_nothing_in_common_are_refused(results, other):
    other["settings"]["data"]["name"] = "svhn"
    with pytest.raises(DataError, match="of other data, cifar10 and svhn"):
        contrast(results, other)
    other["settings"]["data"] = {"source": "/somewhere/cifar10"}
    assert contrast(results, other).differences
    for cell in other["cells"]:
        cell["scenario"] = "class:7"
    with pytest.raises(DataError, match=r"no scenario in common.*class:3, random:0.1 and class:7"):
        contrast(results, other)
    for cell in other["cells"]:
        cell |= {"scenario": "class:3" if cell["pruner"] == "omp" else "class:7", "sparsity": 0.5}
    with pytest.raises(DataError, match=r"share the scenario 'class:3', but no method"):
        contrast(results, other)


def test_labels_are_called_by_their_titles_and_compared_by_what_they_stand_for(results, other):
    for document, of in ((results, "ga"), (other, "ft")):
        for cell in document["cells"]:
            if cell["method"] == "ga":
                cell |= {"method": "fast", "of": "ga", "title": "GA, large steps"}
            if cell["method"] == "l1_sparse":
                cell |= {"method": "mine", "of": of, "title": "Mine"}
    found = contrast(results, other)
    assert "GA, large steps" in {row[0] for row in difference_tables(found)[0].rows}
    assert "mine" not in {each.method for each in found.differences}
    assert found.only_first == (
        "mine (ga) in class:3, dense",
        "mine (ga) in random:0.1, dense",
    )
    assert found.only_second[0] == "mine (ft) in class:3, dense"
