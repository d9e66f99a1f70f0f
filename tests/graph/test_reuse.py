"""Unlearning of one model by several settings: what they share is computed once, and counted."""

import pytest
import torch
from tests.studies.small import HERE

from expunge.curvature import fisher as curvature
from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.train import Origin, Together, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.model_files import load_model
from expunge.graph.record import load_record
from expunge.graph.runtime import Runtime
from expunge.methods import get_method
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training
from expunge.sparsity import get_pruner

DATA = DataSpec(source="digits", train_limit=60, test_limit=40)
ORIGIN = Origin(
    network=NetworkSettings(name="resnet8", width=0.25),
    training=Training(epochs=1, batch_size=30, rewind_epoch=0),
)


def add_ff(graph, scenario="class:3", another_seed=False, pruned=False, compiled=False, **settings):
    facts = resolve(DATA, default_cache())
    model = add_train(graph, add_data(graph, DATA, facts), ORIGIN)
    forget = add_forget(graph, model, scenario, facts=facts)
    if pruned:
        model = add_prune(graph, model, "omp", get_pruner("omp").config(sparsity=0.5))
    config = get_method("ff").config(**settings)
    together = Together(compiled=compiled)
    return add_unlearn(graph, model, forget, "ff", config, together, another_seed=another_seed)


def weights(store, node):
    return torch.cat([each.flatten() for each in load_model(store.path(node))[0].parameters()])


@pytest.fixture
def counted(monkeypatch):
    """How often the exact Fisher information is computed."""
    calls, exact = [], curvature.exact_fisher

    def count(*args):
        calls.append(1)
        return exact(*args)

    monkeypatch.setattr(curvature, "exact_fisher", count)
    return calls


ALIKE = (
    {"fisher": "signs"},
    {"fisher": "signs", "draws": 2},
    {"fisher": "signs", "batch_size": 7},
    {"fisher": "sampled"},
    {"fisher": "signs", "another_seed": True},
    {"fisher": "signs", "pruned": True},
    {"fisher": "signs", "scenario": "random:0.1"},
)
"""Unlearnings that differ in one thing, which changes what they compute first."""


def test_each_is_what_it_is_alone(tmp_path):
    together, apart = (Store(tmp_path / name) for name in ("together", "apart"))
    graph = Graph(together)
    nodes = [add_ff(graph, **settings) for settings in ALIKE]
    run(graph, Engine(), HERE, runtime=Runtime(HERE))
    for node, settings in zip(nodes, ALIKE, strict=True):
        graph = Graph(apart)
        assert add_ff(graph, **settings) == node
        run(graph, Engine(), HERE, runtime=Runtime(HERE))
        assert torch.equal(weights(apart, node), weights(together, node)), settings
    assert len({tuple(weights(together, node).tolist()) for node in nodes}) == len(nodes)


def test_the_fisher_information_is_kept_over_alpha_and_changes_no_number(tmp_path, counted):
    together = Store(tmp_path / "together")
    graph = Graph(together)
    nodes = [add_ff(graph, alpha=alpha) for alpha in (1e-6, 1e-4)]
    run(graph, Engine(), HERE, runtime=Runtime(HERE))
    assert len(counted) == 1
    for node, alpha in zip(nodes, (1e-6, 1e-4), strict=True):
        apart = Store(tmp_path / str(alpha))
        graph = Graph(apart)
        assert add_ff(graph, alpha=alpha) == node
        run(graph, Engine(), HERE, runtime=Runtime(HERE))
        assert torch.equal(weights(apart, node), weights(together, node))
    first, second = (load_record(together.path(node))["seconds"] for node in nodes)
    assert second > first / 2


def test_what_differs_in_more_than_the_settings_computes_its_own(tmp_path, counted):
    graph = Graph(Store(tmp_path / "runs"))
    for settings in ({}, {"scenario": "class:4"}, {"batch_size": 7}, {"compiled": True}):
        add_ff(graph, **settings)
    run(graph, Engine(), HERE, runtime=Runtime(HERE))
    assert len(counted) == 4
