import importlib
from typing import get_args

import pytest
import torch

from expunge.errors import ConfigError, ModelError
from expunge.models.build import build
from expunge.models.networks import ADAPTERS, MODELS, find_network, is_own
from expunge.models.spec import ModelSpec
from expunge.settings import InputKind


@pytest.mark.parametrize("network", [*MODELS.values(), *ADAPTERS.values()], ids=lambda n: n.name)
def test_what_planning_knows_of_a_network(network):
    module, _, function = network.maker.partition(":")
    assert callable(getattr(importlib.import_module(f"expunge.models.{module}"), function))
    assert network.version >= 1
    assert network.threads >= 1
    assert network.inputs
    assert set(network.inputs) <= set(get_args(InputKind))
    assert {**MODELS, **ADAPTERS}[network.name] is network
    assert not is_own(network.name)


def test_networks_are_found_by_name():
    assert find_network("resnet18") is MODELS["resnet18"]
    assert find_network("timm:anything") is ADAPTERS["timm"]
    assert find_network("my.package:network").inputs == get_args(InputKind)
    with pytest.raises(ModelError, match=r"unknown model 'resnet81'.*did you mean 'resnet8'"):
        find_network("resnet81")


def test_an_mlp_of_two_hidden_layers():
    mean, std = (10.0, -5.0, 0.0), (2.0, 3.0, 1.0)
    sizes = {"num_classes": 4, "input_kind": "vectors", "features": 3, "width": 0.25}
    plain = build(ModelSpec(name="mlp", **sizes)).eval()
    assert plain.linear1.weight.shape == (32, 3)
    assert plain.linear2.weight.shape == (32, 32)
    vectors = torch.randn(5, 3)
    assert plain(vectors).shape == (5, 4)
    normalised = build(ModelSpec(name="mlp", mean=mean, std=std, **sizes)).eval()
    moved = vectors * torch.tensor(std) + torch.tensor(mean)
    torch.testing.assert_close(normalised(moved), plain(vectors), rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match="'mlp' has no stem: leave stem out, got 'imagenet'"):
        build(ModelSpec(name="mlp", stem="imagenet", **sizes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_kind": "sounds"}, "input_kind must be one of images, vectors, tokens"),
        (
            {"input_kind": "vectors"},
            "features is the length of vectors, and only of them: got",
        ),
        ({"features": 3}, "only of them: got 3 for images"),
        ({"input_kind": "vectors", "features": 0}, "features must be a finite number in 1"),
        ({"input_kind": "tokens", "vocabulary": 0}, "vocabulary must be a finite number in 1"),
        (
            {"input_kind": "vectors", "features": 2, "mean": (0.0,), "std": (1.0,)},
            "mean must have one value for each of 2 features, got 1",
        ),
        (
            {"input_kind": "tokens", "mean": (0.0,), "std": (1.0,)},
            "tokens are not normalised: leave mean and std out",
        ),
    ],
)
def test_sizes_that_do_not_fit_the_inputs_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        ModelSpec(**{"name": "mlp", "num_classes": 2, **changes})


def test_a_network_of_ones_own_is_told_the_sizes_that_it_asks_for(tmp_path, monkeypatch):
    (tmp_path / "own_sizes.py").write_text(
        "import torch\n"
        "def vectors(num_classes, features):\n"
        "    return torch.nn.Linear(features, num_classes)\n"
        "def tokens(num_classes, vocabulary):\n"
        "    return torch.nn.Embedding(vocabulary, num_classes)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = ModelSpec(name="own_sizes:vectors", num_classes=2, input_kind="vectors", features=7)
    assert build(spec).weight.shape == (2, 7)
    spec = ModelSpec(name="own_sizes:tokens", num_classes=2, input_kind="tokens", vocabulary=9)
    assert build(spec).weight.shape == (9, 2)
