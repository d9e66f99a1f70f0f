from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network

from expunge.errors import ConfigError
from expunge.settings import Training
from expunge.sparsity import get_pruner
from expunge.training.fit import fit
from expunge.training.sparsify import sparsify
from expunge.training.step import task_loss
from expunge.training.streams import Stream

RECIPE = Training(epochs=2, batch_size=16, lr=0.05, schedule="constant")


def test_omp_rewinds_and_trains_again_under_the_mask(samples, context):
    context = replace(context, training=RECIPE)
    model, early = small_network(1), small_network(2)
    pruner = get_pruner("omp")
    config = pruner.config(sparsity=0.5)
    sparse, mask = sparsify(model, samples, pruner, config, context, early.state_dict())
    by_hand = small_network(2)
    fit(by_hand, Stream(samples, torch.arange(60)), task_loss, RECIPE, replace(context, mask=mask))
    for name, weight in by_hand.named_parameters():
        assert torch.equal(weight, sparse.get_parameter(name)), name
    assert torch.equal(model.conv.weight, small_network(1).conv.weight)


def test_without_rewind_training_goes_on_from_the_trained_weights(samples, context):
    context = replace(context, training=replace(RECIPE, epochs=0))
    model = small_network(1)
    pruner = get_pruner("omp")
    sparse, mask = sparsify(
        model, samples, pruner, pruner.config(sparsity=0.5, rewind=False), context
    )
    assert torch.equal(sparse.conv2.weight, model.conv2.weight * mask["conv2.weight"])


def test_what_is_missing_is_named(samples, context, network):
    pruner = get_pruner("omp")
    with pytest.raises(ConfigError, match="training settings"):
        sparsify(network, samples, pruner, pruner.config(), context)
    config = pruner.config(sparsity=0.5)
    with pytest.raises(ConfigError, match="rewind"):
        sparsify(network, samples, pruner, config, replace(context, training=RECIPE))


def test_imp_against_its_rounds_by_hand(samples, context):
    context = replace(context, training=RECIPE)
    model, early = small_network(1), small_network(2)
    pruner, everything = get_pruner("imp"), torch.arange(60)
    config = pruner.config(sparsity=0.4)
    said = []
    loud = replace(context, progress=lambda task, *_: said.append(task))
    sparse, mask = sparsify(model, samples, pruner, config, loud, early.state_dict())
    network = model
    pruned = {name: torch.zeros_like(model.get_parameter(name)) == 1 for name in mask}
    for sparsity in (0.2, 0.36, 0.4):
        ranked = sorted(
            (not bool(gone), float(size), name, i)
            for name in mask
            for i, (gone, size) in enumerate(
                zip(
                    pruned[name].flatten(),
                    network.get_parameter(name).detach().abs().flatten(),
                    strict=True,
                )
            )
        )
        for _, _, name, i in ranked[: round(sparsity * len(ranked))]:
            pruned[name].view(-1)[i] = True
        network = small_network(2)
        by_hand = {name: ~entry for name, entry in pruned.items()}
        fit(network, Stream(samples, everything), task_loss, RECIPE, replace(context, mask=by_hand))
    assert all(torch.equal(mask[name], by_hand[name]) for name in mask)
    assert all(
        torch.equal(weight, sparse.get_parameter(name))
        for name, weight in network.named_parameters()
    )
    assert list(dict.fromkeys(said)) == [
        "train at 20.0% sparsity, round 1 of 3",
        "train at 36.0% sparsity, round 2 of 3",
        "train at 40.0% sparsity, round 3 of 3",
    ]


def test_imp_without_rewind_goes_on_from_where_it_stands(samples, context):
    context = replace(context, training=replace(RECIPE, epochs=1))
    pruner = get_pruner("imp")
    config = pruner.config(sparsity=0.36, rewind=False)
    sparse, mask = sparsify(small_network(1), samples, pruner, config, context)
    first, half = sparsify(
        small_network(1), samples, pruner, pruner.config(sparsity=0.2, rewind=False), context
    )
    second, whole = sparsify(first, samples, pruner, config=replace(config, per_round=0.5),
                             context=replace(context, mask=half))  # fmt: skip
    assert all(torch.equal(mask[name], whole[name]) for name in mask)
    assert torch.equal(sparse.conv2.weight, second.conv2.weight)


def test_a_sparse_model_is_forgotten_by_pruners_of_new_networks(samples, context):
    """Their network is new: the mask of the model that they are given is none of it."""
    pruner = get_pruner("synflow")
    context = replace(context, training=replace(RECIPE, epochs=0))
    config = pruner.config(sparsity=0.3, rounds=3)
    _, expected = sparsify(small_network(1), samples, pruner, config, context)
    gone = {name: ~entry for name, entry in expected.items()}
    _, mask = sparsify(small_network(1), samples, pruner, config, replace(context, mask=gone))
    assert all(torch.equal(mask[name], expected[name]) for name in mask)
