"""One model of the store, measured, and compared with a retrained one."""

import pytest
from tests.studies.small import HERE, made, tiny

from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.methods import get_method
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training
from expunge.statistics.intervals import wilson
from expunge.statistics.same_samples import mcnemar
from expunge.studies import doubts as doubting
from expunge.studies.doubts import doubts, not_converged
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
    for key in ("metrics", "samples", "sparsity_at", "reasons", "gap", "gap_reason"):
        assert found[key] == row[key]
    assert (found["run"], found["scenario"]) == (row["run"], "class:3")
    assert found["made_by"]["device"] == "cpu"
    ra = {name: rows[name, pruner]["metrics"]["ra"] for name in ("retrain", "original")}
    assert ("gap_note" in found) == (ra["original"] - ra["retrain"] > 1)


def rights(store, run_id, population):
    graph = Graph(store)
    found = load_predictions(store.path(add_predict(graph, run_id, population)))
    return found["logits"].argmax(1) == found["labels"], found["labels"]


def test_counts_are_of_samples_and_only_test_samples_have_intervals(grid, verdict):
    store, rows = grid
    run_id = rows["l1_sparse", "none"]["run"]
    found = verdict(run_id)["samples"]
    right, labels = rights(store, run_id, "train")
    gone = labels == 3
    assert found["ua"] == {"count": int((~right[gone]).sum()), "n": int(gone.sum())}
    assert found["ra"] == {"count": int(right[~gone].sum()), "n": int((~gone).sum())}
    right, labels = rights(store, run_id, "test")
    interval = wilson(int(right[labels != 3].sum()), int((labels != 3).sum()))
    assert found["ta"] == {
        "count": int(right[labels != 3].sum()),
        "n": int((labels != 3).sum()),
        "low": interval.low,
        "high": interval.high,
    }
    metrics = rows["l1_sparse", "none"]["metrics"]
    for name in ("ua", "ra", "ta"):
        assert 100 * found[name]["count"] / found[name]["n"] == pytest.approx(metrics[name])


def test_two_models_are_compared_on_the_same_test_samples(grid, verdict):
    store, rows = grid
    ids = [rows[name, "none"]["run"] for name in ("l1_sparse", "retrain")]
    found = verdict(*ids)["against_reference"]
    (one, labels), (other, _) = (rights(store, run_id, "test") for run_id in ids)
    one, other = one[labels != 3], other[labels != 3]
    test = mcnemar(one, other)
    assert (found["only_model"], found["only_reference"], found["p"]) == test
    assert found["difference"] == pytest.approx(100 * (one.mean() - other.mean()))
    assert found["low"] <= found["difference"] <= found["high"]
    assert found["n"] == len(one)
    assert "against_reference" not in verdict(ids[0])


@pytest.mark.parametrize(("points", "named"), [(-200.0, True), (200.0, False)])
@pytest.mark.parametrize("pruner", ["none", "omp"])
def test_a_reference_that_has_not_converged_is_named(
    grid, verdict, monkeypatch, pruner, points, named
):
    """Whether two epochs of a small network are enough is no matter: the bound decides."""
    rows = grid[1]
    monkeypatch.setattr(doubting, "CONVERGED", points)
    retrained = rows["retrain", pruner]
    after, before = retrained["metrics"]["ra"], rows["original", pruner]["metrics"]["ra"]
    note = verdict(rows["l1_sparse", pruner]["run"], retrained["run"]).get("gap_note", "")
    words = f"its RA is {after:.2f}, that of the model it was retrained from {before:.2f}"
    assert note.endswith(words) == named


def test_a_reference_up_to_a_point_below_its_original_has_converged():
    assert not_converged(97.9, 99.0).startswith("reference not converged: its RA is 97.90")
    assert not_converged(98.0, 99.0) == not_converged(None, 99.0) == ""


def add_original(graph, facts, epochs=2, data=None, **words):
    data = data or add_data(graph, DataSpec(source="digits", train_limit=200), facts)
    network = NetworkSettings(name="resnet8", width=0.25)
    training = Training(epochs=epochs, rewind_epoch=1)
    return add_train(graph, data, Origin(network=network, training=training, **words))


@pytest.mark.parametrize(
    ("other", "config", "words"),
    [
        ({}, {}, []),
        ({"epochs": 3}, {}, ["training.epochs 3, the model's 2"]),
        ({"seed": 4}, {}, ["seed 4, the model's 0"]),
        ({"precision": "bf16-mixed"}, {}, ["precision bf16-mixed, the model's 32-true"]),
        ({}, {"epochs": 1}, ["retrained for 1 epoch, its original was trained for 2"]),
        ({}, {"epochs": 2}, []),
    ],
)
def test_what_differs_in_the_making_of_a_reference_is_named(tmp_path, other, config, words):
    graph = Graph(Store(tmp_path))
    facts = resolve(DataSpec(source="digits", train_limit=200), default_cache())
    one, two = add_original(graph, facts), add_original(graph, facts, **other)
    forget = add_forget(graph, one, "class:3", facts=facts)
    model = add_unlearn(graph, one, forget, "ft", get_method("ft").config(epochs=1))
    retrain = get_method("retrain").config(**config)
    reference = add_unlearn(graph, two, forget, "retrain", retrain)
    found = doubts(graph, model, reference)
    assert len(found) == len(words)
    for text, word in zip(found, words, strict=True):
        assert word in text


def test_other_data_another_seed_and_adopted_weights_are_named(tmp_path):
    graph = Graph(Store(tmp_path / "runs"))
    facts = resolve(DataSpec(source="digits", train_limit=200), default_cache())
    fewer = DataSpec(source="digits", train_limit=100)
    others = resolve(fewer, default_cache())
    one = add_original(graph, facts)
    two = add_original(graph, others, data=add_data(graph, fewer, others))
    forget = add_forget(graph, one, "class:3", facts=facts)
    retrain = get_method("retrain").config()
    ours = add_unlearn(graph, one, forget, "retrain", retrain)
    theirs = add_unlearn(graph, two, forget, "retrain", retrain)
    assert doubts(graph, ours, theirs) == [
        "the reference was retrained on other data than the model was trained on"
    ]
    again = add_unlearn(graph, one, forget, "retrain", retrain, another_seed=True)
    assert doubts(graph, ours, again) == ["the reference was retrained by another seed"]
    (tmp_path / "w.pt").write_bytes(b"weights")
    adopted = add_original(graph, facts, weights=str(tmp_path / "w.pt"))
    model = add_unlearn(graph, adopted, forget, "retrain", retrain)
    assert "adopted" in doubts(graph, model, model)[0]


def test_doubts_stand_in_the_note_of_the_gap(grid, verdict):
    """A Retrain of one epoch, of a model that was trained for two."""
    store, rows = grid
    graph = Graph(store)
    first = graph.node(rows["retrain", "none"]["run"])
    config = get_method("retrain").config(epochs=1)
    short = add_unlearn(graph, first.parents["model"], first.parents["forget"], "retrain", config)
    run(graph, Engine(), HERE)
    note = verdict(rows["l1_sparse", "none"]["run"], short)["gap_note"]
    assert "the reference was retrained for 1 epoch, its original was trained for 2" in note


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
