from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network

from expunge.errors import ConfigError
from expunge.sparsity import get_pruner
from expunge.training.fit import fit
from expunge.training.sparsify import sparsify
from expunge.types import Recipe

RECIPE = Recipe(epochs=2, batch_size=16, lr=0.05, schedule="constant")


def test_omp_rewinds_and_trains_again_under_the_mask(samples, context):
    context = replace(context, recipe=RECIPE)
    model, early = small_network(1), small_network(2)
    pruner = get_pruner("omp")
    config = pruner.config(sparsity=0.5)
    sparse, mask = sparsify(model, samples, pruner, config, context, early.state_dict())
    by_hand = small_network(2)
    fit(by_hand, samples, torch.arange(60), RECIPE, replace(context, mask=mask))
    for name, weight in by_hand.named_parameters():
        assert torch.equal(weight, sparse.get_parameter(name)), name
    assert torch.equal(model.conv.weight, small_network(1).conv.weight)


def test_without_rewind_training_goes_on_from_the_trained_weights(samples, context):
    context = replace(context, recipe=replace(RECIPE, epochs=0))
    model = small_network(1)
    pruner = get_pruner("omp")
    sparse, mask = sparsify(
        model, samples, pruner, pruner.config(sparsity=0.5, rewind=False), context
    )
    assert torch.equal(sparse.conv2.weight, model.conv2.weight * mask["conv2.weight"])


def test_what_is_missing_is_named(samples, context, network):
    pruner = get_pruner("omp")
    with pytest.raises(ConfigError, match="recipe"):
        sparsify(network, samples, pruner, pruner.config(), context)
    config = pruner.config(sparsity=0.5)
    with pytest.raises(ConfigError, match="rewind"):
        sparsify(network, samples, pruner, config, replace(context, recipe=RECIPE))
