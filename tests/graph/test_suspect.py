"""Suspects of a model in the graph: whom it looks at, whom it forgets, and what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.studies.small import HERE

import expunge
from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.spec import DataSpec
from expunge.data.splits import subset
from expunge.detectors.trust import Trust
from expunge.engines import Engine, run
from expunge.errors import ConfigError, DataError, ForgetError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget, count_line, load_forget
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.suspect import add_suspect, how, load_scores, load_suspects
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.lineage import forgotten_by
from expunge.graph.runtime import Runtime, read_facts
from expunge.methods import get_method
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training
from expunge.sparsity import get_pruner

PATCH = {"share": 0.1, "size": 3, "row": -3, "column": -3, "value": 255}
SPEC = DataSpec(source="digits", train_limit=700, test_limit=200, edits={"badnets": PATCH})
ORIGIN = Origin(
    network=NetworkSettings(name="resnet8", width=0.5),
    training=Training(
        epochs=10, batch_size=64, lr=0.1, schedule="one_cycle", warmup_epochs=3, rewind_epoch=1
    ),
)


class Made:
    """A poisoned model, and a graph over its store that makes what is added."""

    def __init__(self, root, spec=SPEC):
        self.graph = Graph(Store(root))
        self.spec = spec
        self.facts = resolve(spec, default_cache())
        self.data = add_data(self.graph, spec, self.facts)
        self.model = add_train(self.graph, self.data, ORIGIN)
        self.make()
        self.edited = read_facts(self.path(self.data))
        self.poisoned = set(self.edited.train.touched["badnets"])

    def make(self):
        run(self.graph, Engine(), HERE)

    def path(self, node_id):
        return self.graph.store.path(node_id)

    def suspects(self, detector, *words, **settings):
        node_id = add_suspect(self.graph, self.model, detector, *words, **settings)
        self.make()
        return node_id, load_suspects(self.path(node_id)), load_scores(self.path(node_id))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("suspects") / "runs")


def test_strip_finds_the_poisoned_samples(made):
    """A wiring that mixed up rows would find a tenth."""
    _, found, scores = made.suspects("strip")
    ids = [made.edited.train.ids[row] for row in scores["rows"]]
    assert ids == list(made.edited.train.ids)
    poisoned = np.array([name in made.poisoned for name in ids])
    above = scores["scores"][poisoned][:, None] > scores["scores"][~poisoned]
    assert above.mean() > 0.95
    chosen = [name for name, s in zip(ids, scores["scores"], strict=True) if s > found["threshold"]]
    assert found["suspected"] == chosen
    assert len(made.poisoned.intersection(chosen)) > 0.8 * len(made.poisoned)
    assert (found["clean"], found["trusted"], found["clean_from"]) == (50, 50, "test")
    assert (scores["clean"] > found["threshold"]).sum() == 1
    assert how(found) == (
        "strip, threshold from 50 clean test samples for a false positive rate of 0.05"
    )


def test_the_scenario_forgets_the_suspects_and_says_so(made):
    forget = add_forget(made.graph, made.model, "suspected:strip", facts=made.facts)
    assert forget in made.graph.uncounted
    made.make()
    _, found, _ = made.suspects("strip")
    assert load_forget(made.path(forget))["ids"] == found["suspected"]
    said = count_line(made.graph, forget)
    count = len(found["suspected"])
    assert said.startswith(f"suspected:strip: {count} of 700 training samples to forget (strip, ")


def test_a_list_of_suspects_may_be_given(made):
    strict = add_suspect(
        made.graph, made.model, "strip", trust=Trust(clean=160, false_positives=0.02)
    )
    forget = add_forget(
        made.graph, made.model, "suspected:strip", facts=made.facts, suspects=strict
    )
    assert made.graph.node(forget).parents["suspects"] == strict
    made.make()
    found = load_suspects(made.path(strict))
    assert (found["false_positives"], found["clean"]) == (0.02, 80)
    assert load_forget(made.path(forget))["ids"] == found["suspected"]


def test_models_sparsified_from_one_forget_the_same_samples(made):
    graph = Graph(made.graph.store)
    config = get_pruner("omp").config(sparsity=0.5)
    sparse = add_prune(graph, made.model, "omp", config)
    nodes = {
        add_forget(graph, model, "suspected:strip", facts=made.facts)
        for model in (made.model, sparse)
    }
    assert len(nodes) == 1


def test_what_was_forgotten_is_never_suspected_again(made):
    first = add_forget(made.graph, made.model, "suspected:strip", facts=made.facts)
    ft = get_method("ft").config(epochs=1)
    unlearned = add_unlearn(made.graph, made.model, first, "ft", ft)
    made.make()
    gone = set(forgotten_by(made.path(unlearned)))
    assert gone
    node_id = add_suspect(made.graph, unlearned, "spectral_signatures")
    again = add_forget(made.graph, unlearned, "suspected:spectral_signatures", facts=made.facts)
    assert made.graph.node(again).parents["suspects"] == node_id
    made.make()
    scores = load_scores(made.path(node_id))
    scored = {made.edited.train.ids[row] for row in scores["rows"]}
    assert scored == set(made.edited.train.ids) - gone
    assert gone.isdisjoint(load_suspects(made.path(node_id))["suspected"])


def test_samples_that_are_vouched_for_are_not_scored(made):
    clean = [name for name in made.edited.train.ids if name not in made.poisoned][:60]
    node_id, found, scores = made.suspects("spectral_signatures", clean_ids=clean)
    scored = {made.edited.train.ids[row] for row in scores["rows"]}
    assert scored == set(made.edited.train.ids) - set(clean)
    assert (found["clean"], found["trusted"], found["clean_from"]) == (30, 30, "given")
    again = add_suspect(
        made.graph, made.model, "spectral_signatures", clean_ids=[*reversed(clean), clean[0]]
    )
    assert again == node_id
    others = add_suspect(made.graph, made.model, "spectral_signatures", clean_ids=clean[:50])
    assert others != node_id


def test_python_finds_the_same(made):
    """With the same clean samples and seed."""
    data = Runtime(HERE).dataset(made.path(made.data))
    node_id, found, scores = made.suspects("strip", clean_ids=data.test.ids[:80])
    seed = made.graph.node(node_id).params["seed"]
    model = expunge.load_model(made.path(made.model))
    clean = subset(data.test, torch.arange(80))
    words = {"detector": "strip", "seed": seed, "device": "cpu"}
    again = expunge.find_suspects(model, data, clean, **words)
    assert np.array_equal(again.scores, scores["scores"])
    assert list(again.suspected) == found["suspected"]
    split = expunge.split(data, forget=expunge.by_ids(again.suspected))
    assert split.forget_ids == again.suspected
    fewer = expunge.find_suspects(model, data, clean, config={"blends": 3}, **words)
    assert not np.array_equal(again.scores, fewer.scores)
    with pytest.raises(ConfigError, match="detector strip: unknown setting 'blend_s'"):
        expunge.find_suspects(model, data, clean, config={"blend_s": 3}, **words)
    with pytest.raises(DataError, match="needs the scores of at least 19 clean samples, got 5"):
        expunge.find_suspects(model, data, subset(data.test, torch.arange(10)), **words)


def test_validation_samples_are_taken_where_there_are_some(tmp_path):
    made = Made(tmp_path, replace(SPEC, train_limit=300, validation_fraction=0.2))
    _, found, scores = made.suspects("spectral_signatures", trust=Trust(clean=40))
    assert (found["clean"], found["clean_from"]) == (20, "validation")
    assert len(scores["scores"]) == len(made.edited.train.ids)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            [f"nobody {number}" for number in range(40)],
            r"none of the 40 ids of clean samples is in the data \(nobody 0, ",
        ),
        (
            ["nobody", *range(39)],
            r"1 of 40 ids of clean samples are not in the part .* \(nobody\)",
        ),
    ],
)
def test_clean_samples_that_are_not_there_are_named(made, ids, message):
    graph = Graph(made.graph.store)
    named = [made.edited.train.ids[each] if isinstance(each, int) else each for each in ids]
    add_suspect(graph, made.model, "spectral_signatures", clean_ids=named)
    with pytest.raises(ForgetError, match=message):
        run(graph, Engine(), HERE)


def test_what_cannot_be_looked_for_is_refused_at_once(made):
    graph = Graph(made.graph.store)
    with pytest.raises(ConfigError, match=r"unknown detector 'stripp'.*did you mean 'strip'"):
        add_suspect(graph, made.model, "stripp")
    with pytest.raises(ConfigError, match="is not a model"):
        add_suspect(graph, made.data, "strip")
    few = made.edited.train.ids[:37]
    with pytest.raises(ConfigError, match=r"needs at least 38 clean samples, .* got 37"):
        add_suspect(graph, made.model, "strip", clean_ids=few)


def test_the_seed_of_the_model_draws_the_clean_samples(made):
    graph = Graph(made.graph.store)
    other = add_train(graph, made.data, replace(ORIGIN, seed=1))
    seeds = {
        graph.node(add_suspect(graph, model, "strip")).params["seed"]
        for model in (made.model, other)
    }
    assert len(seeds) == 2


def test_no_suspect_is_one_error(made, monkeypatch):
    graph = Graph(made.graph.store)
    suspects = add_suspect(graph, made.model, "strip")
    forget = add_forget(graph, made.model, "suspected:strip", facts=made.facts, suspects=suspects)
    run(Graph(made.graph.store), Engine(), HERE)
    found = {**load_suspects(made.path(suspects)), "suspected": []}
    monkeypatch.setattr("expunge.graph.kinds.forget.load_suspects", lambda folder: found)
    from expunge.graph.kinds import KINDS

    node = graph.node(forget)
    inputs = {role: made.path(parent) for role, parent in node.parents.items()}
    with pytest.raises(ForgetError, match="'suspected:strip' forgets nothing: strip suspects none"):
        KINDS["forget"].run(node, inputs, made.graph.store.root / "aside", Runtime(HERE))
