"""What every pruner must satisfy. Nothing here knows which pruners there are."""

import dataclasses

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from expunge.errors import ConfigError
from expunge.sparsity import PRUNERS, check_mask, get_pruner, prunable
from expunge.types import Context, Samples


class BlankImages:
    """Sixteen images of noise."""

    shape = (3, 8, 8)

    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self._pixels = torch.randint(0, 256, (16, 3, 8, 8), generator=generator, dtype=torch.uint8)

    def __len__(self):
        return len(self._pixels)

    def to(self, device):
        return self

    def batches(self, index):
        for each in index:
            yield self._pixels[each]


@pytest.fixture(scope="module")
def samples():
    return Samples(
        images=BlankImages(),
        labels=torch.arange(16) % 4,
        ids=tuple(str(i) for i in range(16)),
        class_names=("a", "b", "c", "d"),
        name="noise",
        fingerprint="0",
    )


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
        )


@pytest.fixture(params=PRUNERS, ids=lambda pruner: pruner.name)
def pruner(request):
    return request.param


@pytest.fixture
def run(pruner, samples, fabric):
    def run(model, seed=0, **settings):
        context = Context(fabric=fabric, seed=seed)
        return pruner.run(model, samples, pruner.config(**settings), context)

    return run


def test_the_model_is_left_as_it_was(model, run):
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    run(model, sparsity=0.5)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_the_same_seed_gives_the_same_mask(model, run):
    first, second = run(model, seed=3, sparsity=0.5), run(model, seed=3, sparsity=0.5)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_global_random_state_neither_matters_nor_changes(model, run):
    masks = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tolist()
        masks.append(run(model, sparsity=0.5))
        assert torch.equal(torch.get_rng_state(), state)
        assert np.random.get_state()[1].tolist() == numpy_state
    assert all(torch.equal(masks[0][name], masks[1][name]) for name in masks[0])


@pytest.mark.parametrize("layers", [("conv",), ("conv", "linear")])
@pytest.mark.parametrize("sparsity", [0.0, 0.333, 0.5, 0.8])
def test_exactly_what_was_asked_is_pruned(model, run, sparsity, layers):
    mask = run(model, sparsity=sparsity, layers=layers)
    weights = prunable(model, layers)
    check_mask(model, mask)
    assert list(mask) == list(weights)
    assert all(mask[name].shape == weight.shape for name, weight in weights.items())
    assert all(mask[name].device == weight.device for name, weight in weights.items())
    total = sum(weight.numel() for weight in weights.values())
    assert sum(int((~entry).sum()) for entry in mask.values()) == round(sparsity * total)


def test_without_samples_where_it_needs_none(model, run, pruner, fabric):
    context, config = Context(fabric=fabric), pruner.config(sparsity=0.5)
    if pruner.needs_samples:
        pytest.skip("reads samples")
    mask, expected = pruner.run(model, None, config, context), run(model, sparsity=0.5)
    assert all(torch.equal(mask[name], expected[name]) for name in expected)


def test_the_model_need_not_be_in_training_mode(model, run):
    expected = run(model, sparsity=0.5)
    mask = run(model.eval(), sparsity=0.5)
    assert all(torch.equal(mask[name], expected[name]) for name in expected)


@pytest.mark.parametrize("sparsity", [1.0, -0.1, 1.5, float("nan"), "half"])
def test_a_bad_sparsity_is_refused(pruner, sparsity):
    with pytest.raises(ConfigError, match="sparsity must be"):
        pruner.config(sparsity=sparsity)


def test_config_round_trips(pruner):
    config = pruner.config(sparsity=0.4, rewind=False)
    assert pruner.config(**dataclasses.asdict(config)) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.sparsity = 0.5


def test_it_says_what_it_is(pruner):
    assert get_pruner(pruner.name) is pruner
    assert any(character.isdigit() for character in pruner.cite), "no year in the citation"
    assert pruner.when in ("trained", "initial")
    assert pruner.run.__doc__
    assert pruner.config.__doc__


def test_names_are_unique():
    names = [pruner.name for pruner in PRUNERS]
    assert len(set(names)) == len(names)
