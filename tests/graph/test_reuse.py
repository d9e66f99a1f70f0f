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
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.model_files import load_model
from expunge.graph.record import load_record
from expunge.graph.runtime import Runtime
from expunge.methods import get_method
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training

DATA = DataSpec(source="digits", train_limit=60, test_limit=40)
ORIGIN = Origin(
    network=NetworkSettings(name="resnet8", width=0.25),
    training=Training(epochs=1, batch_size=30, rewind_epoch=0),
)


def add_ff(graph, scenario="class:3", **settings):
    facts = resolve(DATA, default_cache())
    origin = add_train(graph, add_data(graph, DATA, facts), ORIGIN)
    forget = add_forget(graph, origin, scenario, facts=facts)
    return add_unlearn(graph, origin, forget, "ff", get_method("ff").config(**settings))


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


def test_another_forget_set_or_batch_size_computes_its_own(tmp_path, counted):
    graph = Graph(Store(tmp_path / "runs"))
    add_ff(graph)
    add_ff(graph, scenario="class:4")
    add_ff(graph, batch_size=7)
    run(graph, Engine(), HERE, runtime=Runtime(HERE))
    assert len(counted) == 3
