"""What an engine is told, and what it refuses."""

import sys

import pytest

from expunge.engines import ENGINES, Engine, Shard, run
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.empty import add_empty
from expunge.graph.runtime import Place
from expunge.runs import Store

EXTRAS = {"ray": ("ray", "Ray"), "slurm": ("submitit", "submitit")}


@pytest.fixture
def graph(tmp_path):
    graph = Graph(Store(tmp_path / "runs"))
    add_empty(graph, 1, add_empty(graph, 0))
    return graph


@pytest.mark.parametrize("name", EXTRAS)
def test_an_engine_without_its_extra_says_what_to_install(graph, monkeypatch, name):
    module, called = EXTRAS[name]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as error:
        run(graph, Engine(name=name), Place(device="cpu"))
    assert str(error.value) == (f'--engine {name} needs {called}: pip install "expunge[{name}]"')
    assert graph.store.ids() == set()


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "here"])
def test_devices_that_train_together_are_for_here(graph, name):
    with pytest.raises(ConfigError, match="devices=2 cannot be combined"):
        run(graph, Engine(name=name), Place(device="cpu", devices=2))


def test_devices_that_train_together_are_not_for_shards(graph):
    engine = Engine(shard=Shard(number=1, count=2))
    with pytest.raises(ConfigError, match="shard 1/2 and devices=2 cannot be combined"):
        run(graph, engine, Place(device="cpu", devices=2))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "here", "workers": 2}, "engine here makes one node at a time, got workers=2"),
        ({"name": "rays"}, "unknown engine 'rays'.*did you mean 'ray'"),
        ({"workers": 0}, "workers must be 1 or more, got 0"),
        ({"slurm": {"mem_gb": 1}}, "--slurm is for --engine slurm, got --engine here"),
        ({"name": "ray", "shard": Shard(number=1, count=2)}, "start more shards instead"),
        ({"workers": 2, "shard": Shard(number=1, count=2)}, "start more shards instead"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(settings, said):
    with pytest.raises(ConfigError, match=said) as error:
        Engine(**settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1/0", "1", "a/b", "1/2/3", "-1/2", ""])
def test_a_shard_that_is_none_is_one_line(text):
    with pytest.raises(ConfigError, match="--shard 1/4"):
        Shard.parse(text)


def test_every_node_is_of_one_shard(tmp_path):
    graph = Graph(Store(tmp_path))
    ids = [add_empty(graph, number) for number in range(300)]
    shards = [Shard(number=number, count=3) for number in (1, 2, 3)]
    shares = [[name for name in ids if shard.owns(name)] for shard in shards]
    assert sorted(name for share in shares for name in share) == sorted(ids)
    assert min(map(len, shares)) > 60
