import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from expunge.errors import MaskError
from expunge.sparsity.mask import apply_mask, prunable
from expunge.sparsity.masker import Masker


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 2, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 2),
    ).to(memory_format=torch.channels_last)


@pytest.fixture
def mask(model):
    return {name: torch.rand(weight.shape) < 0.5 for name, weight in prunable(model).items()}


def step(model, optimizer, seed):
    images = torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    model(images).square().sum().backward()
    optimizer.step()


def states(optimizer, weight):
    return [
        value
        for value in optimizer.state[weight].values()
        if isinstance(value, torch.Tensor) and value.shape == weight.shape
    ]


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "adam": lambda p: torch.optim.AdamW(p, lr=0.1, amsgrad=True),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_what_is_pruned_stays_zero_in_weights_and_state(model, mask, kind):
    optimizer = OPTIMIZERS[kind](model.parameters())
    apply_mask(model, mask)
    mask_step = Masker(model, mask, optimizer)
    for seed in range(4):
        step(model, optimizer, seed)
        mask_step()
        for name, weight in prunable(model).items():
            found = states(optimizer, weight)
            assert len(found) == {"sgd": 0, "momentum": 1, "adam": 3}[kind]
            for tensor in (weight, *found):
                assert (tensor[~mask[name]] == 0).all()
                assert (tensor[mask[name]] != 0).any()
        assert (model[5].weight != 0).all()


def test_it_is_training_the_kept_weights_alone(model, mask):
    # The oracle masks gradients, weight decay included, so that no pruned weight ever moves.
    apply_mask(model, mask)
    oracle = copy.deepcopy(model)
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    mask_step = Masker(model, mask, optimizer)
    for name, weight in prunable(oracle).items():
        weight.register_hook(lambda grad, name=name: grad * mask[name])
    reference = OPTIMIZERS["momentum"](oracle.parameters())
    for seed in range(4):
        step(model, optimizer, seed)
        mask_step()
        step(oracle, reference, seed)
    for ours, theirs in zip(model.parameters(), oracle.parameters(), strict=True):
        assert_close(ours, theirs)


def test_state_that_appears_late_or_is_loaded_is_masked_too(model, mask):
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    mask_step = Masker(model, mask, optimizer)
    last = model[2]
    last.weight.requires_grad_(False)
    step(model, optimizer, 0)
    mask_step()
    last.weight.requires_grad_(True)
    step(model, optimizer, 1)
    mask_step()
    assert (states(optimizer, last.weight)[0][~mask["2.weight"]] == 0).all()

    loaded = copy.deepcopy(optimizer.state_dict())
    for entry in loaded["state"].values():
        entry["momentum_buffer"].fill_(1.0)
    optimizer.load_state_dict(loaded)
    mask_step()
    assert torch.equal(states(optimizer, last.weight)[0], mask["2.weight"].float())


def test_without_an_optimizer_weights_are_masked(model, mask):
    mask_step = Masker(model, mask)
    mask_step()
    for name, weight in prunable(model).items():
        assert (weight[~mask[name]] == 0).all()
        assert weight.requires_grad


def test_lists_are_built_once(model, mask, monkeypatch):
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    mask_step = Masker(model, mask, optimizer)
    step(model, optimizer, 0)
    mask_step()

    def fail(*_):
        raise AssertionError("lists were built again")

    monkeypatch.setattr(mask_step, "_collect", fail)
    step(model, optimizer, 1)
    mask_step()


def test_factors_are_laid_out_like_the_weights(model, mask):
    mask_step = Masker(model, mask)
    assert [factor.stride() for factor in mask_step._factors] == [
        weight.stride() for weight in prunable(model).values()
    ]


def test_a_wrong_mask_is_refused(model, mask):
    del mask["2.weight"]
    with pytest.raises(MaskError, match=r"missing 2\.weight"):
        Masker(model, mask)
