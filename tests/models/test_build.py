import random
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from expunge.errors import ModelError
from expunge.models.build import build
from expunge.models.networks import MODELS
from expunge.models.spec import ModelSpec


class Own(nn.Module):
    def __init__(self, num_classes=4, in_channels=3):
        super().__init__()
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))


def through_keywords(**settings):
    return Own(**settings)


def needs_more(depth):
    return Own(depth)


@pytest.fixture
def own(monkeypatch):
    module = types.ModuleType("someones_networks")
    module.Own = Own
    module.fixed = lambda: Own(6)
    module.through_keywords = through_keywords
    module.not_a_network = lambda: "weights"
    module.needs_more = needs_more
    module.number = 3
    monkeypatch.setitem(sys.modules, "someones_networks", module)
    return "someones_networks"


def small(name="resnet8", **changes):
    return ModelSpec(**{"name": name, "num_classes": 4, "width": 0.05, **changes})


IMAGE_NETWORKS = [
    name
    for name, network in MODELS.items()
    if "images" in network.inputs and network.task == "classify"
]


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_every_named_network_of_images_gives_logits(name):
    model = build(small(name, in_channels=1)).eval()
    assert model(torch.rand(2, 1, 32, 32)).shape == (2, 4)


def test_the_seed_decides_the_weights():
    first, again, other = (build(small(), seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


def test_global_random_state_neither_matters_nor_changes(own):
    for spec in (small(), small(f"{own}:Own", width=1.0)):
        torch.manual_seed(5)
        states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
        first = build(spec, 3).state_dict()
        assert torch.equal(torch.get_rng_state(), states[0])
        assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
        torch.manual_seed(6)
        again = build(spec, 3).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)


def test_accelerators_are_not_reseeded(monkeypatch):
    def fail(*_):
        raise AssertionError("an accelerator's generator was seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", fail)
    build(small())


def test_keys_do_not_depend_on_the_normalisation():
    plain = build(small())
    normalised = build(small(mean=(0.5,) * 3, std=(0.25,) * 3))
    assert plain.state_dict().keys() == normalised.state_dict().keys()
    assert {"normalise.mean", "normalise.std", "conv1.weight"} <= plain.state_dict().keys()


def test_normalisation_is_inside():
    plain = build(small()).eval()
    normalised = build(small(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))).eval()
    images = torch.rand(2, 3, 8, 8)
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.6, 0.7])
    moved = (images - mean[:, None, None]) / std[:, None, None]
    assert_close(normalised(images), plain(moved))


def test_an_unknown_name_suggests_the_closest():
    with pytest.raises(ModelError, match=r"unknown model 'resnet81'.*did you mean 'resnet8'"):
        build(ModelSpec(name="resnet81", num_classes=4))


def test_own_network_is_given_what_its_signature_takes(own):
    assert build(ModelSpec(name=f"{own}:Own", num_classes=9, in_channels=2)).fc.weight.shape == (
        9,
        2,
    )
    assert build(ModelSpec(name=f"{own}:fixed", num_classes=9)).fc.out_features == 6
    assert build(ModelSpec(name=f"{own}:through_keywords", num_classes=9)).fc.out_features == 9


def test_own_network_is_wrapped_only_for_a_mean(own):
    bare = build(ModelSpec(name=f"{own}:Own", num_classes=4))
    assert type(bare) is Own
    wrapped = build(ModelSpec(name=f"{own}:Own", num_classes=4, mean=(0.5,) * 3, std=(0.5,) * 3))
    images = torch.rand(2, 3, 4, 4)
    assert_close(wrapped(images), bare((images - 0.5) / 0.5))
    assert set(wrapped.state_dict()) == {
        "normalise.mean",
        "normalise.std",
        "network.fc.weight",
        "network.fc.bias",
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("not_a_network", r"must return a torch\.nn\.Module, got str"),
        ("needs_more", "raised TypeError"),
        ("absent", "cannot import .*, expected package.module:callable: AttributeError"),
        ("number", "must be callable, got int"),
    ],
)
def test_own_callables_that_do_not_work(own, name, message):
    with pytest.raises(ModelError, match=message) as caught:
        build(ModelSpec(name=f"{own}:{name}", num_classes=4))
    assert "\n" not in str(caught.value)


def test_own_module_that_is_not_there():
    with pytest.raises(
        ModelError, match=r"'nowhere\.at\.all:Net', expected package\.module:callable: Mod"
    ):
        build(ModelSpec(name="nowhere.at.all:Net", num_classes=4))


def test_own_network_refuses_sizes_that_it_would_not_get(own):
    with pytest.raises(ModelError, match=r"leave stem and width.*width 0\.5"):
        build(ModelSpec(name=f"{own}:Own", num_classes=4, width=0.5))
