"""The leaderboard: an order with its intervals, and every file of the folder accounted for."""

import copy
import json
import math

import pytest
from hypothesis import given
from tests.fuzz.conftest import changed, fuzz, outcome
from tests.report.conftest import build

from expunge.errors import DataError
from expunge.report.leaderboard import as_json, boards, read_folder
from expunge.report.leaderboard_page import page_of, to_markdown
from expunge.report.wording import method_label
from expunge.statistics.intervals import paired_t


def put(folder, document, recipe="cifar10", name="here.json"):
    (folder / recipe).mkdir(parents=True, exist_ok=True)
    path = folder / recipe / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def boards_in(folder):
    return [board for found in read_folder(folder).grids for board in boards(found)]


def by_level(folder, scenario="class:3"):
    return {b.level.sparsity: b for b in boards_in(folder) if b.scenario == scenario}


def gaps(results, method, scenario="class:3", pruner="none"):
    return {
        cell["seed"]: cell["gap"]["avg"]
        for cell in results["cells"]
        if (cell["method"], cell["scenario"], cell["pruner"]) == (method, scenario, pruner)
    }


def test_methods_stand_by_their_mean_gap_with_intervals(tmp_path, results):
    put(tmp_path, results)
    board = by_level(tmp_path)[0.0]
    means = [each.gap for each in board.standings]
    assert means == sorted(means)
    assert len(means) == 4
    first, second = board.standings[:2]
    names = {method_label(name): name for name in ("ft", "ga", "l1_sparse", "original")}
    one, other = (gaps(results, names[each.label]) for each in (first, second))
    expected = paired_t([*one.values()])
    assert (first.gap, first.n, first.of) == (pytest.approx(expected.estimate), 3, 3)
    assert (first.interval.low, first.interval.high) == pytest.approx((expected.low, expected.high))
    expected = paired_t([other[seed] - one[seed] for seed in one])
    assert first.to_next.low == pytest.approx(expected.low)
    assert board.standings[-1].to_next is None
    assert "Retrain" not in {each.label for each in board.standings}


def test_it_is_said_which_neighbours_cannot_be_told_apart(tmp_path, results):
    for cell in results["cells"]:
        if cell["method"] in ("ft", "ga") and cell["pruner"] == "none":
            cell["gap"]["avg"] = {"ft": 40.0, "ga": 40.5}[cell["method"]] + cell["seed"] % 2
    for cell in results["cells"]:
        if cell["method"] == "l1_sparse" and cell["pruner"] == "none":
            cell["gap"]["avg"] = 60.0 + cell["seed"]
    put(tmp_path, results)
    rows = {each["method"]: each for each in as_json(by_level(tmp_path)[0.0])["rows"]}
    assert rows["FT"]["told_from_next"] is True  # always by the same half point
    for cell in results["cells"]:
        if cell["method"] == "ga" and cell["pruner"] == "none":
            cell["gap"]["avg"] += 3.0 * (cell["seed"] == 1)
    put(tmp_path, results)
    rows = {each["method"]: each for each in as_json(by_level(tmp_path)[0.0])["rows"]}
    assert rows["FT"]["told_from_next"] is False
    assert "cannot be told" in to_markdown(page_of(boards_in(tmp_path), read_folder(tmp_path)))


def test_one_seed_has_no_interval_and_no_order_that_is_told(tmp_path, one_seed):
    put(tmp_path, one_seed)
    rows = as_json(by_level(tmp_path)[0.0])["rows"]
    assert {row["n"] for row in rows} == {1}
    assert {row["interval"] for row in rows} == {None}
    assert {row["told_from_next"] for row in rows} == {None}


def test_results_from_two_machines_stand_beside_each_other(tmp_path, results):
    put(tmp_path, results)
    other = copy.deepcopy(results)
    other["makers"][0] |= {"cpu": "Other CPU", "commit": "0000001"}
    other["recipe"] = {"name": "cifar10", "scale": "cpu", "only": None, "digest": "x"}
    put(tmp_path, other, name="there.json")
    found = boards_in(tmp_path)
    assert len(found) == 2 * len({(b.scenario, b.level) for b in found})
    device = "16 cores, Example GPU, bf16-mixed"
    assert {(b.file, *b.hardware, *b.commits, b.scale) for b in found} == {
        ("cifar10/here.json", f"Example CPU, {device}", "f937f81", None),
        ("cifar10/there.json", f"Other CPU, {device}", "0000001", "cpu"),
    }
    headings = [part.heading for part in page_of(found, read_folder(tmp_path))]
    assert headings == ["How to read this", "cifar10", "cifar10, scale cpu"]


def test_settings_time_and_floor_are_there(tmp_path, results):
    seeds = {0: 0.5, 1: 1.0, 2: 1.5}
    for cell in [c for c in results["cells"] if c["method"] == "retrain"]:
        again = copy.deepcopy(cell) | {"method": "retrain_again"}
        again["gap"] = dict.fromkeys(again["gap"], seeds[cell["seed"]])
        results["cells"].append(again)
    for cell in results["cells"]:
        if cell["method"] == "l1_sparse":
            cell["chosen_by"], cell["config"] = "oracle", {"alpha": cell["seed"]}
    put(tmp_path, results)
    board = by_level(tmp_path)[0.0]
    assert (board.floor.estimate, board.floor.n) == (1.0, 3)
    rows = {each["method"]: each for each in as_json(board)["rows"]}
    assert rows["ℓ1-sparse"]["chosen_by"] == "oracle"
    assert rows["ℓ1-sparse"]["config"] == ["alpha 0", "alpha 1", "alpha 2"]
    assert rows["FT"]["chosen_by"] is None
    times = {
        name: sum(
            c["rte_s"]
            for c in results["cells"]
            if (c["method"], c["scenario"], c["pruner"]) == (name, "class:3", "none")
        )
        for name in ("l1_sparse", "retrain")
    }
    assert rows["ℓ1-sparse"]["time_of_retrain"] == pytest.approx(
        times["l1_sparse"] / times["retrain"]
    )
    shown = to_markdown(page_of([board], read_folder(tmp_path)))
    for text in ("published, or by hand", "Floor, Retrain by another seed: 1.00", "| oracle |"):
        assert text in shown


def test_a_seed_without_a_gap_is_counted(tmp_path, results, find):
    results["cells"].remove(find("ga", seed=1))
    find("l1_sparse", seed=2)["gap"] = None
    find("l1_sparse", seed=2)["failed"] = "the loss is not finite"
    put(tmp_path, results)
    rows = {each["method"]: each for each in as_json(by_level(tmp_path)[0.0])["rows"]}
    assert (rows["GA"]["n"], rows["GA"]["seeds"]) == (2, 2)
    assert (rows["ℓ1-sparse"]["n"], rows["ℓ1-sparse"]["seeds"]) == (2, 3)


def test_what_has_no_gap_is_said_with_the_reason(tmp_path, without_reference):
    put(tmp_path, without_reference)
    found = boards_in(tmp_path)
    assert all(not board.standings for board in found)
    shown = to_markdown(page_of(found, read_folder(tmp_path)))
    assert "no method has a gap (retrain was not run at this sparsity)" in shown


def test_names_are_not_markup(tmp_path, results):
    results["title"] = "<script>alert(1)</script> | *x*"
    put(tmp_path, results)
    shown = to_markdown(page_of(boards_in(tmp_path), read_folder(tmp_path)))
    assert "<script>" not in shown
    assert "| *x*" not in shown


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(tmp_path, results):
    put(tmp_path, results)
    put(tmp_path, "{", name="damaged.json")
    put(tmp_path, {**results, "schema": 7}, name="later.json")
    put(tmp_path, {**results, "blake2b": "0" * 32}, name="changed.json")
    put(tmp_path, {"schema": 1, "trends": [], "summary": []}, recipe="theory")
    put(tmp_path, {"figures": []}, recipe="benchmarks")
    found = read_folder(tmp_path)
    assert [each.path.name for each in found.grids] == ["here.json"]
    assert [path.parent.name for path in found.studies] == ["theory"]
    assert len(found.unread) == 3
    for line, name, why in zip(
        found.unread,
        ("changed.json", "damaged.json", "later.json"),
        ("has changed since it was measured", "is not JSON", "expected schema 1 or 2, got 7"),
        strict=True,
    ):
        assert name in line
        assert why in line
    shown = to_markdown(page_of(boards_in(tmp_path), found))
    assert shown.count("Not read: ") == 3
    assert "theory/here.json: ranks no methods." in shown


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder of results, as RECIPE/NAME.json"):
        read_folder(tmp_path / "none")
    with pytest.raises(DataError, match="holds no results that can be read"):
        read_folder(tmp_path)
    put(tmp_path, "{", name="damaged.json")
    with pytest.raises(DataError, match=r"no results that can be read: .*damaged.json is not JSON"):
        read_folder(tmp_path)


RESULTS = json.loads(json.dumps(build(2)))
RESULTS["cells"] = [cell for cell in RESULTS["cells"] if cell["scenario"] == "class:3"]


@fuzz(100)
@given(changed(RESULTS))
def test_any_document_is_ranked_or_refused_in_one_line(tmp_path_factory, document):
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    put(folder, document)

    def rank():
        found = [*boards_in(folder)]
        for board in found:
            assert not any(math.isnan(each.gap) for each in board.standings)
        return to_markdown(page_of(found, read_folder(folder)))

    outcome(rank)
