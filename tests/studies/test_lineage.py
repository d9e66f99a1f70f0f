"""One request after another: nobody trains on what its line has forgotten, present or gone."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ROOT

import expunge.training.fit
import expunge.training.sparsify
from expunge.data.facts import resolve
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.errors import DataError, ForgetError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.path import add_path, load_facts
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.sharpness import add_sharpness
from expunge.graph.kinds.theorem import add_theorem
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.lineage import forgotten_by
from expunge.graph.runtime import Place, Runtime, read_facts
from expunge.methods import METHODS, get_method
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training
from expunge.sparsity import get_pruner
from expunge.studies.verdict import collect_verdict, plan_verdict
from expunge.theory.config import HessianConfig
from expunge.training.streams import Stream

TRAIN, TEST = 200, 80
A = tuple(f"train-{number}" for number in range(10, 22))
B = tuple(f"train-{number}" for number in range(40, 48))
SPEC = DataSpec(source="data.npz")
# Plain SGD, so that the theorem speaks of it, too.
ORIGIN = Origin(
    network=NetworkSettings(name="resnet8", width=0.25),
    training=Training(
        epochs=2, batch_size=50, lr=0.05, momentum=0.0, weight_decay=0.0, schedule="constant",
        rewind_epoch=1,
    ),
)  # fmt: skip
METRICS = ("ua", "ra", "ta", "mia_efficacy", "mia_privacy", "drift", "confidence", "attacks")


def write_data(without=(), changed=()):
    """The data, without some training samples or with others changed."""
    rng = np.random.default_rng(0)
    arrays = {}
    for role, count in (("train", TRAIN), ("test", TEST)):
        labels = np.arange(count) % 4
        images = rng.integers(0, 90, (count, 8, 8), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 2] += 120
        arrays |= {f"x_{role}": images, f"y_{role}": labels}
        arrays[f"ids_{role}"] = np.array([f"{role}-{number}" for number in range(count)])
    kept = ~np.isin(arrays["ids_train"], list(without))
    for name in changed:
        arrays["x_train"][arrays["ids_train"] == name] ^= 1
    np.savez("data.npz", **{k: v[kept] if k.endswith("train") else v for k, v in arrays.items()})


class Line:
    """A store of models, one unlearned from the other, and what is made of them."""

    def __init__(self):
        self.store = Store(Path("runs"))
        # Nothing of the data is known from an earlier look.
        self.runtime = Runtime(Place(device="cpu", cache_dir=Path("cache")))

    def make(self, add):
        """The node that `add(graph)` adds, made."""
        graph = Graph(self.store)
        node_id = add(graph)
        run(graph, Engine(), self.runtime.place, runtime=self.runtime)
        return node_id

    def original(self):
        def add(graph):
            return add_train(graph, add_data(graph, SPEC, resolve(SPEC, Path("cache"))), ORIGIN)

        return self.make(add)

    def forget(self, graph, model, scenario, anew=True):
        facts = read_facts(self.store.path(graph.data_of(model)))
        return add_forget(graph, model, scenario, facts=facts, anew=anew)

    def unlearn(self, model, scenario, method="ft", **settings):
        config = get_method(method).config(**settings)
        return self.make(
            lambda graph: add_unlearn(
                graph, model, self.forget(graph, model, scenario), method, config
            )
        )

    def prune(self, model, pruner="omp", **settings):
        if pruner == "omp":
            settings = {"rewind": False}  # the early weights have seen what is forgotten
        config = get_pruner(pruner).config(sparsity=0.5, **settings)
        return self.make(lambda graph: add_prune(graph, model, pruner, config))

    def evaluate(self, model, forget=None, reference=None, metrics=METRICS):
        graph = Graph(self.store)
        verdict = plan_verdict(graph, model, reference, forget, metrics)
        run(graph, Engine(), self.runtime.place, runtime=self.runtime)
        return collect_verdict(self.store, verdict)

    def forgotten(self, model):
        return forgotten_by(self.store.path(model))

    def chosen(self, model):
        return load_forget(self.store.path(self.store.node(model).parents["forget"]))["ids"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the data, the lists A and B, and a store: an original, A gone, then B gone."""
    folder = tmp_path_factory.mktemp("line")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_data()
        for name, ids in (("a", A), ("b", B)):
            Path(f"{name}.csv").write_text("id\n" + "\n".join(ids) + "\n")
        line = Line()
        original = line.original()
        first = line.unlearn(original, "ids:a.csv", epochs=1)
        second = line.unlearn(first, "ids:b.csv", epochs=1)
    return folder, original, first, second


@pytest.fixture
def line(made, tmp_path, monkeypatch):
    """The same in a folder of the test's own."""
    shutil.copytree(made[0], tmp_path / "line")
    monkeypatch.chdir(tmp_path / "line")
    line = Line()
    line.first_model, line.first, line.second = made[1:]
    return line


@pytest.fixture
def trained_on(monkeypatch):
    """The ids of the samples that each training goes through, by the names of its streams."""
    seen = []
    fit = expunge.training.fit.fit

    def spy(model, given, *rest, **words):
        streams = {"": given} if isinstance(given, Stream) else given
        seen.append(
            {
                name: {stream.samples.ids[row] for row in stream.index.tolist()}
                for name, stream in streams.items()
            }
        )
        return fit(model, given, *rest, **words)

    monkeypatch.setattr(expunge.training.fit, "fit", spy)
    monkeypatch.setattr(expunge.training.sparsify, "fit", spy)
    return seen


ALL = {f"train-{number}" for number in range(TRAIN)}
AB = {*A, *B}


def test_each_model_says_what_its_line_has_forgotten(line):
    assert line.forgotten(line.first_model) == ()
    assert line.forgotten(line.first) == A
    assert line.forgotten(line.second) == A + B
    sparse = line.prune(line.second)
    assert line.forgotten(sparse) == A + B


def test_no_training_after_a_request_sees_what_it_took(line, trained_on):
    """FT and Retrain retain, l1_sparse and SCRUB too, and pruning trains again."""
    line.unlearn(line.first, "ids:b.csv", epochs=2)
    line.unlearn(line.first, "ids:b.csv", "retrain")
    line.unlearn(line.first, "ids:b.csv", "l1_sparse", epochs=1)
    assert trained_on == [{"": ALL - AB}] * 3
    trained_on.clear()
    line.prune(line.first)
    line.prune(line.first, "synflow", rounds=2)
    assert trained_on == [{"": ALL - set(A)}] * 2
    trained_on.clear()
    line.unlearn(line.prune(line.second), "class:1", "retrain")
    ones = {f"train-{number}" for number in range(1, TRAIN, 4)}
    assert trained_on == [{"": ALL - AB}, {"": ALL - AB - ones}]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_no_method_is_given_what_was_forgotten_before(line, monkeypatch, method):
    import expunge.methods.run

    run_method = expunge.methods.run.run_method
    splits = []

    def spy(method, model, split, *rest):
        splits.append(split)
        return run_method(method, model, split, *rest)

    monkeypatch.setattr(expunge.methods.run, "run_method", spy)
    line.unlearn(line.first, "ids:b.csv", method.name, **method.example)
    (split,) = splits
    retained = {split.train.ids[row] for row in split.retain.tolist()}
    forget = {split.train.ids[row] for row in split.forget.tolist()}
    assert (retained, forget) == (ALL - AB, set(B))


def test_a_pruner_is_shown_nothing_that_was_forgotten(line, monkeypatch):
    from dataclasses import replace

    from expunge import sparsity

    snip = get_pruner("snip")
    shown = []

    def spy(model, samples, *rest):
        shown.append(set(samples.ids))
        return snip.run(model, samples, *rest)

    monkeypatch.setattr(sparsity, "PRUNERS", (replace(snip, run=spy),))
    line.prune(line.first, "snip")
    assert shown == [ALL - set(A)]


def test_who_draws_at_random_draws_from_what_is_left(line):
    third = line.unlearn(line.second, "random:0.2", epochs=1)
    drawn = line.chosen(third)
    assert len(drawn) == round(0.2 * (TRAIN - len(AB)))
    assert not AB & set(drawn)
    assert line.forgotten(third) == (*A, *B, *drawn)
    half = line.unlearn(third, "random:0.5", epochs=1)
    assert not {*AB, *drawn} & set(line.chosen(half))
    # A class that was forgotten in part is what is left of it.
    ones = line.unlearn(line.first, "class:2", epochs=1)
    assert set(line.chosen(ones)) == {f"train-{n}" for n in range(2, TRAIN, 4)} - set(A)


def test_what_was_forgotten_cannot_be_forgotten_again(line):
    Path("again.csv").write_text(f"id\n{A[0]}\n{B[0]}\n")
    with pytest.raises(
        ForgetError, match=rf"^of the 2 ids in 'again.csv', 1 were already forgotten \({A[0]}\): "
    ):
        line.unlearn(line.first, "ids:again.csv")
    with pytest.raises(
        ForgetError, match=r"^of the 2 ids in 'again.csv', 2 were already forgotten"
    ):
        line.unlearn(line.prune(line.second), "ids:again.csv")
    line.unlearn(line.first_model, "ids:again.csv", epochs=1)


def test_a_line_that_is_planned_whole_is_refused_when_it_is_made(line):
    """Where the first model is not there yet, planning cannot know what it will have forgotten."""
    graph = Graph(line.store)
    ft = get_method("ft").config(epochs=1, lr=0.02)
    forget = line.forget(graph, line.first_model, "ids:a.csv")
    first = add_unlearn(graph, line.first_model, forget, "ft", ft)
    again = line.forget(graph, first, "ids:a.csv")
    assert again != forget
    add_unlearn(graph, first, again, "ft", ft)
    with pytest.raises(ForgetError, match="were already forgotten"):
        run(graph, Engine(), line.runtime.place, runtime=line.runtime)


def test_any_past_request_is_measured_on_any_descendant(line):
    found = line.evaluate(line.second, "ids:a.csv")
    assert found["reasons"] == {}
    # As a Python loop over the model's own predictions has it.
    node = Graph(line.store).node(line.second)
    train = line.runtime.dataset(line.store.path(node.parents["data"])).train
    from expunge.graph.model_files import load_model
    from expunge.training.predict import predict

    model, _, _ = load_model(line.store.path(line.second))
    right = predict(model, train, line.runtime.evaluator).argmax(1) == train.labels
    by_id = dict(zip(train.ids, right.tolist(), strict=True))

    def accuracy(ids):
        return 100 * sum(by_id[name] for name in ids) / len(ids)

    assert found["metrics"]["ua"] == pytest.approx(100 - accuracy(A))
    assert found["metrics"]["ra"] == pytest.approx(accuracy(ALL - AB))
    of_b = line.evaluate(line.second)
    assert of_b["metrics"]["ua"] == pytest.approx(100 - accuracy(B))
    assert of_b["metrics"]["ra"] == found["metrics"]["ra"]


GONE = r"12 of 12 samples to forget are no longer in the data"


def test_without_the_forgotten_samples_all_that_follows_still_works(line, trained_on, caplog):
    before = line.evaluate(line.first)
    write_data(without=A)
    after = Line()
    first, second = line.first, line.second
    caplog.set_level(logging.WARNING)
    again = after.unlearn(first, "ids:b.csv", epochs=2)
    assert caplog.messages == [
        "note: 12 of 200 training samples are no longer in the data (forgotten)"
    ]
    after.unlearn(first, "ids:b.csv", "retrain")
    after.prune(second)
    assert trained_on == [{"": ALL - AB}] * 3
    assert len(caplog.messages) == 1
    assert after.forgotten(again) == A + B
    # What was measured before is found; what is measured now says what is no longer there.
    assert after.evaluate(first)["metrics"] == before["metrics"]
    found = after.evaluate(again, "ids:a.csv")
    needed = {name for name in METRICS if name in ("ua", "mia_efficacy", "confidence", "attacks")}
    assert set(found["reasons"]) == needed
    assert set(found["reasons"].values()) == {GONE}
    assert all(found["metrics"][name] is None for name in needed & set(found["metrics"]))
    for name in ("ra", "ta", "mia_privacy", "drift"):
        assert found["metrics"][name] is not None


def test_the_model_is_measured_though_its_base_was_never(line):
    """Its base has not forgotten what is gone, and is asked for its predictions now."""
    write_data(without=A)
    found = Line().evaluate(line.first)
    assert found["metrics"]["ua"] is None
    assert found["reasons"]["ua"] == found["reasons"]["confidence"] == GONE
    assert set(found["samples"]) == {"ra", "ta"}
    assert found["metrics"]["ra"] > 25
    assert found["metrics"]["ta"] > 25


def test_what_is_measured_of_the_retained_is_the_same_when_the_others_are_gone(line):
    shutil.copytree("runs", "copy")
    there = line.evaluate(line.second)["metrics"]
    write_data(without=AB)
    after = Line()
    after.store = Store(Path("copy"))
    found = after.evaluate(line.second)["metrics"]
    same = ("ra", "ta", "mia_privacy", "drift")
    assert {name: found[name] for name in same} == {name: there[name] for name in same}


def test_a_gap_that_cannot_be_measured_is_null_with_the_reason(line):
    reference = line.unlearn(line.first_model, "ids:a.csv", "retrain")
    shutil.copytree("runs", "copy")
    assert line.evaluate(line.first, reference=reference)["gap"]["avg"] >= 0
    write_data(without=A)
    after = Line()
    after.store = Store(Path("copy"))
    found = after.evaluate(line.first, reference=reference)
    assert found["gap"] is None
    assert found["gap_reason"] == f"there is no ua to compare: {GONE}"


def test_who_has_not_forgotten_misses_what_is_gone(line):
    """A dataset that lacks samples is not handed on to who may not miss them."""
    write_data(without=A)
    after = Line()
    after.prune(line.first)
    with pytest.raises(
        DataError, match=r"12 of 200 train samples .*has not forgotten them \(train"
    ):
        after.prune(line.first_model)


@pytest.mark.parametrize("words", [{"without": (*A, "train-100")}, {"changed": ["train-100"]}])
def test_a_retained_sample_that_is_gone_or_changed_is_named(line, words):
    write_data(**words)
    with pytest.raises(DataError) as caught:
        Line().unlearn(line.first, "ids:b.csv", epochs=2)
    assert str(caught.value).startswith(
        "the data at data.npz has changed: 1 of 200 train samples are missing or changed, and the "
        "model has not forgotten them (train-100)"
    )
    assert "\n" not in str(caught.value)


def test_a_test_sample_that_is_gone_is_missed(line):
    write_data()
    with np.load("data.npz") as file:
        arrays = dict(file)
    np.savez("data.npz", **{k: v[1:] if k.endswith("test") else v for k, v in arrays.items()})
    with pytest.raises(DataError, match=r"1 of 80 test samples are missing or changed.*\(test-0\)"):
        Line().unlearn(line.first, "ids:b.csv", epochs=2)


def test_data_in_another_order_are_the_same_data(line):
    with np.load("data.npz") as file:
        arrays = dict(file)
    order = np.random.default_rng(1).permutation(TRAIN)
    np.savez("data.npz", **{k: v[order] if k.endswith("train") else v for k, v in arrays.items()})
    after = Line()
    there = after.runtime.dataset(after.store.path(Graph(after.store).data_of(line.first)))
    assert there.train.ids == tuple(f"train-{number}" for number in range(TRAIN))
    assert there.train.labels.tolist() == [number % 4 for number in range(TRAIN)]


def test_paths_and_sharpness_are_of_what_is_left(line):
    """And so they can be had when the rest is gone, and are the same."""
    found = []
    for without in ((), A):
        write_data(without=without)
        shutil.copytree("runs", f"runs{len(without)}")
        after = Line()
        after.store = Store(Path(f"runs{len(without)}"))
        path = after.make(lambda graph: add_path(graph, line.first))
        assert after.forgotten(path) == A

        def add(graph, path=path, after=after):
            forget = after.forget(graph, path, "ids:b.csv")
            return add_theorem(graph, path, forget, {"ft": get_method("ft").config(epochs=1)})

        theorem = after.make(add)
        sharp = after.make(
            lambda graph: add_sharpness(graph, line.first, HessianConfig(samples=10, tolerance=0.1))
        )
        found.append([load_facts(after.store.path(each)) for each in (path, theorem, sharp)])
    assert found[0] == found[1]
    assert found[0][2]["steps"] == 2 * -(-(TRAIN - len(A)) // 50)


def test_equal_images_are_told_apart_when_one_of_them_is_gone(line):
    """Ids that are hashes of content number equal images: the others move up."""
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 8, 8), dtype=np.uint8)
    images[[3, 7, 11]] = image  # all three of class 3
    labels = np.arange(40) % 4
    arrays = {"x_test": images[20:], "y_test": labels[20:]}

    def write(kept):
        np.savez("equal.npz", x_train=images[kept], y_train=labels[kept], **arrays)

    write(np.arange(40))
    spec = DataSpec(source="equal.npz")

    def add(graph):
        return add_data(graph, spec, resolve(spec, Path("cache")))

    data = line.make(add)
    facts = read_facts(line.store.path(data))
    name = facts.train.ids[3]
    assert facts.train.ids[7] == f"{name}-1"
    assert facts.train.ids[11] == f"{name}-2"
    write(np.delete(np.arange(40), 7))
    # Of equal samples nobody can tell which one is gone: it is the one that was forgotten.
    for forgotten, there in ((1, {0, 2}), (2, {0, 1}), (0, {1, 2})):
        named = [f"{name}-{number}".removesuffix("-0") for number in range(3)]
        found = Line().runtime.dataset(line.store.path(data), [named[forgotten]]).train
        expected = [each for each in facts.train.ids if each != named[forgotten]]
        assert list(found.ids) == expected
        assert set(named) & set(found.ids) == {named[number] for number in there}
    write(np.delete(np.arange(40), [3, 11]))
    found = Line().runtime.dataset(line.store.path(data), [name, f"{name}-1"]).train
    assert [each for each in found.ids if each.startswith(name)] == [f"{name}-2"]
    with pytest.raises(DataError, match="2 of 40 train samples"):
        Line().runtime.dataset(line.store.path(data))


def test_a_class_that_is_gone_shifts_no_numbers(line):
    """Where the test samples have none of it, the source no longer knows the class."""
    names = np.array(["ant", "bee", "cat"])
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8), dtype=np.uint8)
    labels = names[np.arange(30) % 3]
    tested = labels != "bee"

    def write(kept):
        np.savez(
            "named.npz", x_train=images[kept], y_train=labels[kept],
            x_test=images[tested], y_test=labels[tested],
        )  # fmt: skip

    write(np.full(30, True))
    spec = DataSpec(source="named.npz")
    data = line.make(lambda graph: add_data(graph, spec, resolve(spec, Path("cache"))))
    facts = read_facts(line.store.path(data))
    bees = [name for name, label in zip(facts.train.ids, labels, strict=True) if label == "bee"]
    write(tested)
    found = Line().runtime.dataset(line.store.path(data), bees)
    assert found.train.class_names == ("ant", "bee", "cat")
    assert found.train.labels.tolist() == found.test.labels.tolist() == [0, 2] * 10


def test_an_equal_sample_of_another_name_does_not_stand_in(line):
    """Where samples have names of their own, a retained one that is gone is missed."""
    with np.load("data.npz") as file:
        arrays = dict(file)
    arrays["x_train"][24] = arrays["x_train"][20]  # train-20 is of A, train-24 is not
    np.savez("equal.npz", **arrays)
    spec = DataSpec(source="equal.npz")
    data = line.make(lambda graph: add_data(graph, spec, resolve(spec, Path("cache"))))
    kept = np.arange(TRAIN) != 24
    np.savez("equal.npz", **{k: v[kept] if k.endswith("train") else v for k, v in arrays.items()})
    with pytest.raises(DataError, match=r"1 of 200 train .*\(train-24\)"):
        Line().runtime.dataset(line.store.path(data), A)


COMMAND = [sys.executable, "-m", "expunge"]


@pytest.mark.slow
def test_two_requests_by_the_command_line(line):
    """What is no longer there is said once, and what cannot be measured is printed."""

    def expunge(*words):
        done = subprocess.run(
            [*COMMAND, *words, "--store", "runs"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    code, _, err = expunge("unlearn", line.second, "--forget", "ids:a.csv")
    assert code == 2
    assert [each for each in err.splitlines() if each.startswith("error: ")] == [
        err.strip().splitlines()[-1]
    ]
    assert "of the 12 ids in 'a.csv', 12 were already forgotten" in err
    write_data(without=A)
    code, out, err = expunge("unlearn", line.first, "--forget", "ids:b.csv", "--method", "ga")
    assert code == 0, err
    assert err.count("note: 12 of 200 training samples are no longer in the data (forgotten)") == 1
    code, shown, err = expunge("evaluate", out.strip(), "--forget", "ids:a.csv")
    assert code == 0, err
    missing = "ua, mia_efficacy, mia_efficacy_one_draw, attacks, confidence"
    assert f"Not measured: {missing}; {GONE}." in shown
    code, shown, err = expunge("evaluate", out.strip(), "--forget", "ids:a.csv", "--json")
    found = json.loads(shown)
    assert found["metrics"]["ua"] is None
    assert found["reasons"]["ua"] == GONE
    assert found["metrics"]["ra"] is not None
