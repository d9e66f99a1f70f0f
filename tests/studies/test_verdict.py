"""One model of the store, measured, and compared with a retrained one."""

import pytest
from tests.studies.small import HERE, made, tiny

from expunge.engines import Engine, run
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.studies.grid import collect_cells
from expunge.studies.made import Makers
from expunge.studies.verdict import collect_verdict, plan_verdict

METRICS = ("ua", "ra", "ta", "mia_efficacy", "drift", "weight_distance", "sparsity_at")


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    experiment = tiny(scenarios=("class:3",), metrics=METRICS)
    graph, cells = made(tmp_path_factory.mktemp("verdict") / "runs", experiment)
    rows = collect_cells(graph.store, cells, Makers())
    return graph.store, {(row["method"], row["pruner"]): row for row in rows}


@pytest.fixture
def verdict(grid):
    def verdict(run_id, reference=None, forget=None):
        graph = Graph(grid[0])
        planned = plan_verdict(graph, run_id, reference, forget, METRICS)
        run(graph, Engine(), HERE)
        return collect_verdict(grid[0], planned)

    return verdict


@pytest.mark.parametrize("pruner", ["none", "omp"])
def test_a_model_is_measured_as_in_the_grid_that_made_it(grid, verdict, pruner):
    """And nothing of it is measured a second time."""
    store, rows = grid
    row, retrained = rows["l1_sparse", pruner], rows["retrain", pruner]
    before = store.ids()
    found = verdict(row["run"], retrained["run"])
    assert store.ids() - before == set()
    for key in ("metrics", "sparsity_at", "reasons", "gap", "gap_reason"):
        assert found[key] == row[key]
    assert (found["run"], found["scenario"]) == (row["run"], "class:3")
    assert found["made_by"]["device"] == "cpu"
    assert "gap_note" not in found


def test_a_reference_of_another_model_is_noted(grid, verdict):
    rows = grid[1]
    found = verdict(rows["l1_sparse", "omp"]["run"], rows["retrain", "none"]["run"])
    note = found["gap_note"]
    assert rows["original", "none"]["run"] in note
    assert rows["original", "omp"]["run"] in note
    assert found["gap"] == pytest.approx(rows["l1_sparse", "omp"]["gap_dense"])


def test_without_a_reference_the_gap_is_null_with_the_reason(grid, verdict):
    found = verdict(grid[1]["l1_sparse", "none"]["run"])
    assert (found["gap"], found["gap_reason"]) == (
        None,
        "no retrained model was given: pass --reference",
    )
    assert found["metrics"]["weight_distance"] is None
    assert found["reasons"]["weight_distance"] == "no retrained model to compare with"


def test_an_original_is_measured_on_what_it_is_told(grid, verdict):
    rows = grid[1]
    original = rows["original", "none"]["run"]
    found = verdict(original, forget="class:3")
    for name in ("ua", "ra", "ta", "mia_efficacy"):
        assert found["metrics"][name] == rows["original", "none"]["metrics"][name]
    assert found["metrics"]["drift"] == 0
    assert verdict(original, forget="class:4")["metrics"] != found["metrics"]


def test_what_makes_no_sense_is_refused(grid, verdict):
    rows = grid[1]
    original, tuned = rows["original", "none"]["run"], rows["l1_sparse", "none"]["run"]
    retrained = rows["retrain", "none"]["run"]
    with pytest.raises(ConfigError, match=f"{original} has unlearned nothing: add --forget"):
        verdict(original)
    with pytest.raises(ConfigError, match=f"reference {original} is not a retrained model"):
        verdict(tuned, original)
    with pytest.raises(ConfigError, match=r"without 'class:3', expected 'class:4': the forget"):
        verdict(original, retrained, "class:4")
    predict = next(each for each in grid[0].ids() if each.startswith("predict"))
    with pytest.raises(ConfigError, match=f"{predict} is not a model"):
        verdict(predict)
