import json

import pytest
from tests.conftest import ROOT

from expunge.errors import DataError
from expunge.report import check_results, load_results, to_markdown
from expunge.report.results import zeros
from expunge.report.study import OWN
from expunge.runs import write_document


def write(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    return path


def test_a_good_document_comes_back_unchanged(tmp_path, results):
    assert load_results(write(tmp_path, json.dumps(results))) == results


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read results .*none\.json: No such file"):
        load_results(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["", "{", "\xff", "[" * 100_000])
def test_what_is_not_json_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="is not JSON") as caught:
        load_results(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("schema", [0, 3, "1", "2", None, True])
def test_another_schema_is_refused(results, schema):
    results["schema"] = schema
    with pytest.raises(DataError, match="expected schema 1 or 2, got"):
        check_results(results)


def test_a_list_is_no_document():
    with pytest.raises(DataError, match="expected an object with schema 2, got a list"):
        check_results([])


def test_every_missing_key_of_a_cell_is_named(results):
    del results["cells"][2]["method"], results["cells"][2]["rte_s"]
    with pytest.raises(DataError, match="r: cell 2: missing method, rte_s"):
        check_results(results, "r")


@pytest.mark.parametrize("key", ["title", "makers", "metrics", "settings", "reproduce", "cells"])
def test_every_part_of_the_document_is_needed(results, key):
    del results[key]
    with pytest.raises(DataError, match=f"missing {key}"):
        check_results(results)


def test_no_cells_is_nothing_to_report(results):
    results["cells"] = []
    with pytest.raises(DataError, match="cells is empty"):
        check_results(results)


def test_missing_metrics_and_gaps_are_named(results):
    del results["cells"][0]["metrics"]["ua"]
    with pytest.raises(DataError, match="cell 0: metrics: missing ua"):
        check_results(results)
    results["cells"][0]["metrics"]["ua"] = 1.0
    del results["cells"][0]["gap"]["avg"]
    with pytest.raises(DataError, match="cell 0: gap: missing avg"):
        check_results(results)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused_with_their_place(tmp_path, results, number):
    results["cells"][3]["metrics"]["ta"] = "HERE"
    path = write(tmp_path, json.dumps(results).replace('"HERE"', number))
    with pytest.raises(DataError, match=r"cells\[3\]\.metrics\.ta is not a finite number"):
        load_results(path)


@pytest.mark.parametrize("number", [1e101, -1e200, 10**400])
def test_numbers_whose_squares_overflow_are_refused_with_their_place(results, number):
    results["cells"][3]["metrics"]["ta"] = number
    message = r"cells\[3\]\.metrics\.ta is beyond ±1e\+100; write null and a reason"
    with pytest.raises(DataError, match=message):
        check_results(results)
    results["cells"][3]["metrics"]["ta"] = 1e100
    to_markdown(results)


@pytest.mark.parametrize("study", [*OWN])
def test_the_document_of_another_study_is_named(study):
    message = f"expected results of expunge bench, got those of expunge {study}"
    with pytest.raises(DataError, match=message):
        check_results({"schema": 1, OWN[study]: [], "claims": []})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": [None]}, "search 0: trial 0: expected an object, got null"),
        ({"trials": "none"}, "search 0: trials must be a list, got text"),
        ({"searched": {"lr": "fast"}}, "search 0: searched: lr must be a number, got text"),
        ({"at_end": [3]}, "search 0: at_end must be a list of texts"),
    ],
)
def test_a_search_is_read_whole(results, change, message):
    search = {
        **{"method": "ga", "scenario": "class:3", "pruner": "none", "sparsity": 0.0, "seed": 3},
        **{"objective": "oracle", "searched": {"lr": 0.1}, "value": 1.0, "at_end": []},
        "trials": [{"state": "complete"}],
    }
    check_results({**results, "searches": [search]})
    with pytest.raises(DataError, match=message):
        check_results({**results, "searches": [search | change]})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scenario", 3, "scenario must be text, got an integer"),
        ("seed", 0.5, "seed must be an integer, got a number"),
        ("seed", True, "seed must be an integer, got true"),
        ("sparsity", None, "sparsity must be a number, got null"),
        ("sparsity", 95, r"sparsity must be in 0\.\.1, got 95"),
        ("metrics", [], "metrics must be an object, got a list"),
        ("gap", "none", "gap must be an object or null, got text"),
        ("gap_reason", 4, "gap_reason must be text or null"),
        ("rte_s", "fast", "rte_s must be a number or null, got text"),
        ("confidence", {"before": {}}, "confidence: missing after"),
        ("made_by", None, "made_by must be an integer, got null"),
        ("made_by", True, "made_by must be an integer, got true"),
        ("made_by", 1, r"made_by must be in 0\.\.0, got 1"),
        ("made_by", -1, r"made_by must be in 0\.\.0, got -1"),
        ("reasons", "none", "reasons must be an object or null, got text"),
        ("reasons", {"ua": 3}, "reasons: ua must be text, got an integer"),
        ("sparsity_at", 0.5, "sparsity_at must be an object or null, got a number"),
        ("sparsity_at", {"0": "half"}, "sparsity_at: 0 must be a number or null, got text"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(results, key, value, message):
    results["cells"][1][key] = value
    with pytest.raises(DataError, match=f"cell 1: {message}"):
        check_results(results)


@pytest.mark.parametrize("shares", [[5.0] * 19, [5.0] * 19 + ["5"], [5.0] * 19 + [None]])
def test_a_distribution_has_twenty_numbers(results, find, shares):
    find("ft")["confidence"]["after"]["test"] = shares
    with pytest.raises(DataError, match="confidence: after: test must be a list of 20 numbers"):
        check_results(results)


def test_a_metric_of_its_own_may_be_there_but_must_be_a_number(results):
    results["cells"][0]["metrics"]["attack_success"] = 12.5
    check_results(results)
    results["cells"][0]["metrics"]["attack_success"] = "high"
    with pytest.raises(DataError, match="metrics: attack_success must be a number or null"):
        check_results(results)


def test_the_same_cell_twice_would_count_as_two_seeds(results):
    results["cells"].append(dict(results["cells"][4]))
    with pytest.raises(DataError, match="cell 54 repeats cell 4"):
        check_results(results)


def test_what_older_documents_lack_is_optional(results):
    for cell in results["cells"]:
        for key in ("gap_reason", "gap_dense", "confidence", "sparsity_at", "reasons"):
            del cell[key]
    for name in ("confidence", "sparsity_at"):
        del results["metrics"][name]
    check_results(results)


def test_a_cell_is_an_object(results):
    results["cells"][0] = "ft"
    with pytest.raises(DataError, match="cell 0: expected an object, got text"):
        check_results(results)


def test_a_document_of_schema_1_is_read_as_one_of_schema_2(schema_1):
    found = check_results(schema_1)
    assert found["schema"] == 2
    assert found["makers"] == [schema_1["env"]]
    assert "env" not in found
    for old, new in zip(schema_1["cells"], found["cells"], strict=True):
        assert new["made_by"] == 0
        assert zeros(new) == old["sparsity_measured"]
        assert "sparsity_measured" not in new
        assert (new["metrics"], new["gap"]) == (old["metrics"], old["gap"])


def test_schema_1_knew_other_thresholds_and_sparsity_that_was_not_measured(schema_1):
    schema_1["cells"][0]["sparsity_at"] = {"0.01": 0.7}
    schema_1["cells"][1]["sparsity_measured"] = None
    first, second = check_results(schema_1)["cells"][:2]
    assert first["sparsity_at"] == {"0.01": 0.7, "0": schema_1["cells"][0]["sparsity_measured"]}
    assert zeros(second) is None


@pytest.mark.parametrize("key", ["env", "cells", "title"])
def test_schema_1_is_checked_too(schema_1, key):
    del schema_1[key]
    with pytest.raises(DataError, match=f"missing {key}"):
        check_results(schema_1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda cell: cell.pop("sparsity_measured"), "cell 3: missing sparsity_measured"),
        (lambda cell: cell["metrics"].pop("ra"), "cell 3: metrics: missing ra"),
        (lambda cell: cell["gap"].pop("ta"), "cell 3: gap: missing ta"),
    ],
)
def test_cells_of_schema_1_are_checked_too(schema_1, spoil, message):
    spoil(schema_1["cells"][3])
    with pytest.raises(DataError, match=message):
        check_results(schema_1)


def test_every_document_of_the_tree_is_read():
    for path in ROOT.glob("results/*/*.json"):
        document = json.loads(path.read_text())
        if "title" in document and "cells" in document and "rows" not in document:
            assert load_results(path)["schema"] == 2


def test_a_document_says_what_it_measured(results):
    results["metrics"]["ua"]["unit"] = 3
    with pytest.raises(DataError, match="metrics: ua: unit must be text, got an integer"):
        check_results(results)
    results["metrics"]["ua"] = {"unit": "percent", "title": "UA", "compared": "yes"}
    with pytest.raises(DataError, match="compared must be true or false, got text"):
        check_results(results)


def test_what_was_measured_and_compared_is_in_every_cell(results):
    results["metrics"]["leak"] = {"unit": "bits", "title": "Leak", "compared": True}
    with pytest.raises(DataError, match="cell 0: metrics: missing leak"):
        check_results(results)
    for cell in results["cells"]:
        cell["metrics"]["leak"] = 1.0
    with pytest.raises(DataError, match="cell 0: gap: missing leak"):
        check_results(results)
    del results["metrics"]["mia_privacy"]
    results["metrics"]["leak"]["compared"] = False
    for cell in results["cells"]:
        del cell["metrics"]["mia_privacy"]
    check_results(results)


def test_a_maker_is_an_object(results):
    results["makers"].append("here")
    with pytest.raises(DataError, match="maker 1: expected an object, got text"):
        check_results(results)


@pytest.mark.parametrize("change", [("Tiny", "Tinx"), ("blake2b", "blake2c"), ("0.", "1.")])
def test_a_document_that_was_changed_is_not_reported(results, tmp_path, change):
    path = tmp_path / "results.json"
    write_document(path, {**results, "title": "Tiny"})
    assert load_results(path)["title"] == "Tiny"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(DataError, match=r"results.json has changed since it was measured"):
        load_results(path)
