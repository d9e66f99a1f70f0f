"""Unlearning from Python with models that were pruned or built elsewhere."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import expunge
from expunge.errors import MaskError
from expunge.methods import METHODS
from tests.conftest import small_network

RECIPE = expunge.Training(epochs=1, batch_size=16, lr=0.01, schedule="constant")


@pytest.fixture
def split(samples):
    return expunge.split(samples, forget=expunge.by_class(1))


def unlearn(model, split, method="ft", **settings):
    entry = next(each for each in METHODS if each.name == method)
    return expunge.unlearn(
        model, split, method=method, config=entry.example, training=RECIPE, rebuild=small_network,
        device="cpu", **settings,
    )  # fmt: skip


def with_zeros():
    model = small_network(1)
    with torch.no_grad():
        for conv in (model.conv, model.conv2):
            conv.weight[torch.rand(conv.weight.shape) < 0.6] = 0
    return model


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_keeps_the_zeros_of_a_sparse_model(method, split):
    model = with_zeros()
    result = unlearn(model, split, method.name)
    (note,) = result.notes
    assert "of the weights in 2 layers are zero and stay zero: pass dense=True" in note
    assert result.mask.keys() == {"conv.weight", "conv2.weight"}
    for name in result.mask:
        before, after = model.get_parameter(name), result.model.get_parameter(name)
        assert not after[before == 0].any()
        assert after.any()


def test_a_dense_model_has_no_mask_and_no_note(split):
    result = unlearn(small_network(1), split)
    assert (result.mask, result.notes) == (None, ())


def test_zeros_may_be_changed_if_asked_for(split):
    model = with_zeros()
    result = unlearn(model, split, dense=True)
    assert (result.mask, result.notes) == (None, ())
    assert result.model.conv.weight[model.conv.weight == 0].any()


@pytest.mark.parametrize("method", ["ft", "ga", "iu", "ff"])
def test_a_model_under_torchs_own_pruning(method, split):
    model = small_network(1)
    prune.global_unstructured(
        [(model.conv, "weight"), (model.conv2, "weight")], prune.L1Unstructured, amount=0.7
    )
    model(torch.rand(2, 1, 8, 8)).sum().backward()
    before = copy.deepcopy(model.state_dict())
    result = unlearn(model, split, method)
    assert (~result.mask["conv.weight"]).equal(before["conv.weight_mask"] == 0)
    assert not result.model.conv.weight[before["conv.weight_mask"] == 0].any()
    assert "conv.weight_orig" not in result.model.state_dict()
    assert result.notes[1].startswith("the result has plain parameters")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("method", ["ft", "ga", "iu", "ff"])
@pytest.mark.parametrize(
    "norm",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
)
def test_a_sparse_model_with_norms_on_its_weights(norm, method, split):
    model = with_zeros()
    zeros = model.conv2.weight == 0
    norm(model.conv2)
    result = unlearn(model, split, method)
    result.model.eval()(torch.rand(1, 1, 8, 8))
    assert not result.model.conv2.weight[zeros].any()
    assert result.model.conv2.weight.any()


def test_pruning_goes_on_from_the_zeros(split):
    model = with_zeros()
    sparse = expunge.prune(model, split, sparsity=0.8, training=RECIPE, device="cpu")
    assert not sparse.mask["conv.weight"][model.conv.weight == 0].any()
    with pytest.raises(MaskError, match="already pruned"):
        expunge.prune(model, split, sparsity=0.3, training=RECIPE, device="cpu")
    expunge.prune(model, split, sparsity=0.3, training=RECIPE, dense=True, device="cpu")
