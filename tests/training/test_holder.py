"""Weights that may not change do not, whatever the optimiser does."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network
from tests.training.shared_work import some_mask

from expunge.errors import MaskError
from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.holder import Holder
from expunge.training.step import task_loss
from expunge.training.streams import Stream


def some_only(model):
    generator = torch.Generator().manual_seed(9)
    return {
        name: torch.rand(p.shape, generator=generator) < 0.5 for name, p in model.named_parameters()
    }


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("sparse", [False, True])
def test_momentum_and_weight_decay_leave_held_weights_alone(samples, context, optimizer, sparse):
    model = small_network()
    mask = some_mask(model) if sparse else None
    for name, kept in (mask or {}).items():
        model.get_parameter(name).data.mul_(kept)
    before, only = copy.deepcopy(model), some_only(model)
    training = Training(
        epochs=2,
        batch_size=16,
        lr=0.05,
        momentum=0.9,
        weight_decay=0.1,
        schedule="constant",
        optimizer=optimizer,
    )
    everything = Stream(samples, torch.arange(len(samples)))
    fit(model, everything, task_loss, training, replace(context, mask=mask), only=only)
    for name, was in before.named_parameters():
        now, free = model.get_parameter(name), only[name]
        assert torch.equal(now[~free], was[~free]), name
        if mask is not None and name in mask:
            assert not now[~mask[name]].any(), name
            free = free & mask[name]
        assert bool((now[free] != was[free]).any()), name


def test_without_it_all_weights_move(samples, context):
    model, training = small_network(), Training(epochs=1, batch_size=16, lr=0.05)
    before = copy.deepcopy(model)
    fit(model, Stream(samples, torch.arange(60)), task_loss, training, context)
    assert all(
        bool((a != b).all())
        for a, b in zip(model.parameters(), before.parameters(), strict=True)
        if a.ndim > 1
    )


@pytest.mark.parametrize(
    "only",
    [
        {"nothing": torch.ones(1, dtype=torch.bool)},
        {"head.bias": torch.ones(4, dtype=torch.bool)},
        {"head.bias": torch.ones(3)},
    ],
)
def test_entries_that_do_not_fit_are_refused(only):
    with pytest.raises(MaskError, match="expected a bool entry of a parameter's shape"):
        Holder(small_network(), only)
