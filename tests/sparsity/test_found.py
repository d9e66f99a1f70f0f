"""Zeros of a model from elsewhere, found and kept, in layers of every build."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from expunge.errors import MaskError
from expunge.sparsity.found import from_elsewhere, mask_of_zeros
from expunge.sparsity.mask import check_mask


def network(layers=None):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return layers() if layers else nn.Sequential(convolution(), nn.Flatten(), nn.Linear(16, 8))


def convolution():
    return nn.Conv2d(1, 4, 3)


@torch.no_grad()
def zero(weight, share, seed=0):
    """Set a random share of the entries to zero; return what is left."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(weight.numel(), generator=generator)
    kept = torch.ones(weight.numel(), dtype=torch.bool)
    kept[order[: round(share * weight.numel())]] = False
    weight.mul_(kept.view_as(weight))
    return kept.view_as(weight)


def test_a_dense_model_has_none():
    assert mask_of_zeros(network()) is None


def test_the_zeros_of_a_sparse_model_and_only_those():
    model = network()
    kept = zero(model[0].weight, 0.9)
    before = copy.deepcopy(model.state_dict())
    mask = mask_of_zeros(model)
    assert list(mask) == ["0.weight"]
    assert torch.equal(mask["0.weight"], kept)
    check_mask(model, mask)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_all_layers_of_a_kind_are_covered_and_stray_zeros_too():
    model = network(lambda: nn.Sequential(convolution(), nn.Conv2d(4, 30, 3), nn.Linear(2, 2)))
    zero(model[0].weight, 0.5)
    with torch.no_grad():
        model[1].weight[3, 2, 1, 0] = 0
    mask = mask_of_zeros(model)
    assert list(mask) == ["0.weight", "1.weight"]
    assert (~mask["1.weight"]).nonzero().tolist() == [[3, 2, 1, 0]]
    check_mask(model, mask)


def test_fewer_than_one_in_a_hundred_are_not_a_sparse_model():
    model = network(lambda: nn.Linear(40, 10))
    zero(model.weight, 3 / 400)
    assert mask_of_zeros(model) is None
    zero(model.weight, 4 / 400)
    assert int((~mask_of_zeros(model)["weight"]).sum()) == 4


def test_a_weight_that_is_zero_throughout_counts_only_beside_others():
    model = network()
    zero(model[2].weight, 1)
    assert mask_of_zeros(model) is None
    model = network(lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)))
    zero(model[1].weight, 1)
    zero(model[0].weight, 0.5)
    assert not mask_of_zeros(model)["1.weight"].any()


def test_frozen_weights_are_no_reason():
    model = network()
    zero(model[0].weight, 0.5)
    model[0].weight.requires_grad_(False)
    assert mask_of_zeros(model) is None


def test_biases_norms_and_padding_rows_are_ignored():
    model = nn.Sequential(nn.Embedding(8, 4, padding_idx=0), nn.LayerNorm(4), nn.Linear(4, 4))
    nn.init.zeros_(model[2].bias)
    nn.init.zeros_(model[1].weight)
    assert mask_of_zeros(model) is None


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: nn.MultiheadAttention(4, 2), "in_proj_weight"),
        (lambda: nn.Embedding(9, 4), "weight"),
        (lambda: nn.Conv1d(2, 4, 3), "weight"),
    ],
    ids=["attention", "embedding", "Conv1d"],
)
def test_other_matrices_are_covered(build, name):
    model = network(build)
    kept = zero(model.get_parameter(name), 0.5)
    mask = mask_of_zeros(model)
    assert torch.equal(mask[name], kept)
    check_mask(model, mask)


def test_a_shared_weight_is_in_the_mask_once():
    model = network(lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)))
    model[1].weight = model[0].weight
    zero(model[0].weight, 0.5)
    assert list(mask_of_zeros(model)) == ["0.weight"]


def old(norm):
    def apply(layer):
        with pytest.warns(FutureWarning):
            return norm(layer)

    return apply


@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
@pytest.mark.parametrize(
    ("norm", "parameter"),
    [
        (parametrizations.weight_norm, "0.parametrizations.weight.original1"),
        (parametrizations.spectral_norm, "0.parametrizations.weight.original"),
        (old(nn.utils.weight_norm), "0.weight_v"),
        (nn.utils.spectral_norm, "0.weight_orig"),
    ],
    ids=["weight_norm", "spectral_norm", "old weight_norm", "old spectral_norm"],
)
def test_norms_are_seen_through(norm, parameter):
    model = network()
    kept = zero(model[0].weight, 0.5)
    norm(model[0])
    state = copy.deepcopy(model.state_dict())
    mask = mask_of_zeros(model)
    assert list(mask) == [parameter]
    assert torch.equal(mask[parameter], kept)
    check_mask(model, mask)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    # The parameter's zeros are those of the weight that the layer uses.
    model.eval()(torch.ones(1, 1, 4, 4))
    assert torch.equal(model[0].weight != 0, kept)


class Doubled(nn.Module):
    def forward(self, weight):
        return weight * 2


def test_a_weight_computed_in_another_way_is_refused_by_the_layers_name():
    model = network()
    parametrize.register_parametrization(model[0], "weight", Doubled())
    assert mask_of_zeros(model) is None
    zero(model[0].parametrizations.weight.original, 0.5)
    with pytest.raises(MaskError, match="layer 0 has a weight that Doubled computes, and 50"):
        mask_of_zeros(model)


def pruned_once(layer):
    prune.l1_unstructured(layer, "weight", 0.5)


def pruned_twice(layer):
    prune.random_unstructured(layer, "weight", 0.3)
    prune.ln_structured(layer, "weight", 0.25, n=2, dim=0)


def pruned_with_its_bias(layer):
    prune.ln_structured(layer, "weight", 0.25, n=2, dim=0)
    prune.l1_unstructured(layer, "bias", 1)


def pruned_of_one_weight(layer):
    prune.l1_unstructured(layer, "weight", 1)


@pytest.mark.parametrize("seen", ["new", "trained", "evaluated"])
@pytest.mark.parametrize(
    "apply", [pruned_once, pruned_twice, pruned_with_its_bias, pruned_of_one_weight]
)
def test_masks_of_torch_are_made_permanent_in_a_copy(apply, seen):
    model = network(lambda: nn.Sequential(nn.Conv2d(1, 40, 3), nn.Conv2d(40, 2, 2), nn.Flatten()))
    apply(model[0])
    inputs = torch.rand(2, 1, 4, 4)
    if seen == "trained":
        model(inputs).sum().backward()
    elif seen == "evaluated":
        with torch.no_grad():
            model(inputs)
    state = copy.deepcopy(model.state_dict())
    masks = {name: kept != 0 for name, kept in model[0].named_buffers()}
    plain, mask = from_elsewhere(model)
    assert mask.keys() == {
        *(f"0.{name.removesuffix('_mask')}" for name in masks), "0.weight", "1.weight"
    }  # fmt: skip
    for name, kept in masks.items():
        assert torch.equal(mask[f"0.{name.removesuffix('_mask')}"], kept)
    assert mask["1.weight"].all()
    check_mask(plain, mask)
    assert dict(plain.named_parameters()).keys() == {"0.weight", "0.bias", "1.weight", "1.bias"}
    torch.testing.assert_close(plain(inputs), model(inputs))
    copy.deepcopy(plain)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_models_that_need_no_copy_come_back_as_they_are():
    model = network()
    assert from_elsewhere(model) == (model, None)
    kept = zero(model[0].weight, 0.5)
    same, mask = from_elsewhere(model)
    assert same is model
    assert torch.equal(mask["0.weight"], kept)


def test_a_norm_in_its_old_form_can_be_copied_after_training():
    model = network()
    old(nn.utils.weight_norm)(model[0])
    model(torch.rand(1, 1, 4, 4)).sum().backward()
    plain, mask = from_elsewhere(model)
    assert mask is None
    assert plain.state_dict().keys() == model.state_dict().keys()
    copy.deepcopy(plain)


def test_a_lazy_model_is_left_to_the_check_of_networks():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2))
    assert from_elsewhere(model) == (model, None)
