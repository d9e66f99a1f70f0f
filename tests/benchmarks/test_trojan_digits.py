"""Weights are taken away where they should be, and as many of each layer at random."""

import torch
from benchmarks.trojan_digits import alike, share, without

from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.sparsity.mask import prunable


def test_weights_are_zero_where_they_are_chosen_and_the_model_given_stays():
    spec = ModelSpec(name="resnet8", num_classes=10, in_channels=1, width=0.25)
    model = build(spec, seed=0)
    before = {name: weight.detach().clone() for name, weight in prunable(model).items()}
    flat = torch.cat([weight.flatten() for weight in before.values()])
    gone = torch.zeros(len(flat), dtype=torch.bool)
    gone[::7] = True
    found = torch.cat([each.detach().flatten() for each in prunable(without(model, gone)).values()])
    assert torch.equal(found, torch.where(gone, 0, flat))
    after = prunable(model)
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_as_many_weights_of_every_layer_at_random():
    scores = {"one": torch.zeros(30), "two": torch.zeros(5, 4)}
    chosen = torch.zeros(50, dtype=torch.bool)
    chosen[:6] = chosen[45:] = True
    draws = [alike(chosen, scores, draw) for draw in range(3)]
    for each in draws:
        assert (int(each[:30].sum()), int(each[30:].sum())) == (6, 5)
    assert not torch.equal(draws[0], draws[1])
    assert torch.equal(draws[2], alike(chosen, scores, 2))


def test_a_share_is_in_percent():
    assert share(torch.tensor([True, False, False, False])) == 25
