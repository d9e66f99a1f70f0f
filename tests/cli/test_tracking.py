"""`--track`: runs of what was made, from the store; nothing that is made depends on it."""

import numpy as np
import pytest
from tests.cli.conftest import ok

from expunge.cli import tracking
from expunge.cli.tracking import Tracking
from expunge.errors import StoreError
from expunge.graph.course import Course, write_course
from expunge.runs import Node, Store, read_artefact

SMALL = ["--model", "resnet8", "--width", "0.25", "--epochs", "2", "--rewind-epoch", "1"]


class Kept:
    """A sink that keeps runs, as all do; `full` is how many it takes."""

    def __init__(self, full=100):
        self.runs, self.full = {}, full

    def has(self, run_id):
        return run_id in self.runs

    def write(self, run):
        assert not self.has(run.id)
        if len(self.runs) == self.full:
            raise StoreError("no room")
        self.runs[run.id] = run


@pytest.fixture
def kept(monkeypatch):
    sink = Kept()
    monkeypatch.setattr(tracking, "open_sink", lambda asked: sink)
    return sink


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    path = tmp_path_factory.mktemp("few") / "few.npz"
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
    labels = np.arange(24) % 3
    np.savez(path, x_train=images, y_train=labels, x_test=images[:3], y_test=labels[:3])
    return path


def contents(store, run):
    """What a node's weights and course are, by their digests."""
    found = read_artefact(store / run).contents
    return [found[name] for name in ("model.safetensors", "course.json")]


def test_training_and_unlearning_are_tracked_and_the_same_without(command, few, kept, tmp_path):
    made = {}
    for name, words in {"with": ["--track", "fake:place"], "without": []}.items():
        store = ["--store", tmp_path / name]
        origin = ok(command("train", "--data", few, *SMALL, *store, *words)).strip()
        method = ["--method", "ft", "--epochs", "1", "--forget", "class:1"]
        made[name] = origin, ok(command("unlearn", origin, *method, *store, *words)).strip()
    assert made["with"] == made["without"]
    for run in made["with"]:
        assert contents(tmp_path / "with", run) == contents(tmp_path / "without", run)
    assert list(kept.runs) == list(made["with"])
    origin, forgotten = (kept.runs[run] for run in made["with"])
    assert [sorted(step) for step in origin.steps] == [["train/loss", "train/lr"]] * 2
    assert all(step["train/loss"] > 0 for step in origin.steps)
    assert len(forgotten.steps) == 1
    # Again, with all of it in the store: nothing is written twice.
    words = ["--store", tmp_path / "without", "--track", "fake:place"]
    assert ok(command("train", "--data", few, *SMALL, *words)).strip() == origin.id
    assert len(kept.runs) == 2


def test_models_without_a_course_are_counted(command, few, kept, tmp_path):
    words = ["--store", tmp_path / "runs", "--track", "fake:place"]
    origin = ok(command("train", "--data", few, *SMALL, *words)).strip()
    unlearn = ["unlearn", origin, "--method", "iu", "--samples", "4", "--forget", "class:1"]
    code, _, err = command(*unlearn, *words)
    assert code == 0, err
    assert "course of training" not in err, "made now, and known not to train"
    code, _, err = command(*unlearn, *words)
    assert code == 0, err
    assert "note: 1 model of the store not tracked, for lack of a course" in err


def test_trainings_of_one_node_have_numbers_and_nodes_are_counted_once(kept, tmp_path, capsys):
    course, store = Course(), Store(tmp_path)
    for task, epoch, loss in (("train", 1, 3.0), ("train", 2, 2.0), ("prune", 1, 1.5)):
        course.add(task, epoch, loss, 0.1)
    course.add("train", 1, 1.0, 0.2)
    pruned, plain = (Node(kind="prune", version=1, params={"n": n}, parents={}) for n in (1, 2))
    with store.create(pruned) as folder:
        write_course(folder, course)
    with store.create(plain):
        pass
    tracker = Tracking(["fake:place"], store)
    for node in (pruned, plain, pruned, plain):
        tracker.node(node.id, "a label", made=False)
    tracker.close()
    first = {"train/loss": 3.0, "train/lr": 0.1, "prune/loss": 1.5, "prune/lr": 0.1}
    assert kept.runs[pruned.id].steps == [
        {**first, "train 2/loss": 1.0, "train 2/lr": 0.2},
        {"train/loss": 2.0, "train/lr": 0.1},
    ]
    assert "note: 1 model of the store not tracked" in capsys.readouterr().err


def test_a_tracker_is_refused_before_anything_is_made(command, few, tmp_path):
    store = tmp_path / "runs"
    code, _, err = command(
        "train", "--data", few, *SMALL, "--store", store, "--track", "tensorbord:here"
    )
    assert code == 2
    assert err.startswith("error: --track tensorbord:here: unknown tracker")
    assert err.count("\n") == 1
    assert not list(store.glob("train-*"))


CELL = {
    "scenario": "class:3",
    "pruner": "omp",
    "sparsity": 0.95,
    "method": "ft",
    "seed": 4,
    "run": "unlearn-0123456789abcdef",
    "metrics": {"ua": 50.0, "asr": None},
    "gap": {"ua": 3.0, "avg": 2.0},
    "gap_dense": None,
    "rte_s": 1.5,
}


def test_measures_are_tracked_by_cell_and_again_only_when_they_change(kept, tmp_path):
    tracker = Tracking(["fake:place"], Store(tmp_path))
    tracker.cells([CELL, {**CELL, "seed": 5, "metrics": {}, "gap": None, "rte_s": None}])
    (run,) = kept.runs.values()
    assert run.final == {
        "measures/ua": 50.0,
        "measures/gap.ua": 3.0,
        "measures/gap": 2.0,
        "measures/rte_s": 1.5,
    }
    assert (run.group, run.about["seed"]) == (CELL["run"], "4")
    assert run.name == "ft, class:3, omp 0.95, seed 4: measures"
    tracker.cells([CELL])
    assert len(kept.runs) == 1
    tracker.cells([{**CELL, "rte_s": 2.0}])
    assert len(kept.runs) == 2


def test_a_tracker_that_fails_is_left_and_told_of(kept, tmp_path, capsys):
    kept.full = 1
    tracker = Tracking(["fake:place"], Store(tmp_path))
    tracker.cells([{**CELL, "seed": seed} for seed in range(4)])
    assert len(kept.runs) == 1
    told = capsys.readouterr().err
    assert told.count("note: --track fake:place stopped (no room); the work goes on") == 1
