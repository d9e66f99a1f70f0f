import torch
from tests.networks_of_different_build import BUILDS
from torch import nn

from expunge.sparsity.mask import check_mask
from expunge.sparsity.zeros import mask_of_zeros


def build(name):
    (found,) = [each for each in BUILDS if each.name == name]
    return found.build()


def test_a_dense_network_has_no_mask():
    assert mask_of_zeros(build("batch_norm")) == (None, ())
    assert mask_of_zeros(nn.Sequential(nn.ReLU())) == (None, ())


def test_zeros_of_convolutions_are_a_mask_of_all_of_them():
    model = build("exact_zeros")
    mask, (note,) = mask_of_zeros(model)
    check_mask(model, mask)
    assert mask.keys() == {"0.weight", "2.weight"}
    for name, entry in mask.items():
        assert torch.equal(entry, model.get_parameter(name) != 0)
    zeros = sum(int((~entry).sum()) for entry in mask.values())
    total = sum(entry.numel() for entry in mask.values())
    assert note.startswith(f"{zeros / total:.1%} of the weights of the convolutions are exactly ")


def test_zeros_of_linear_layers_in_a_network_with_and_without_convolutions():
    for name in ("linear_only", "batch_norm"):
        model = build(name)
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.Linear | nn.Conv2d):
                    module.weight[:, 0] = 0
        mask, notes = mask_of_zeros(model)
        check_mask(model, mask)
        assert len(notes) == 1 + (name == "batch_norm")
        assert any("linear layers" in note for note in notes)


def test_a_layer_that_is_zero_as_a_whole_is_not_pruned():
    model = build("batch_norm")
    with torch.no_grad():
        model[3].weight.zero_()
    mask, (note,) = mask_of_zeros(model)
    assert mask["3.weight"].all()
    assert "but not those of 3.weight, which are all zero" in note


def test_a_few_zeros_by_chance_are_no_mask_but_a_known_mask_is():
    model = build("batch_norm")
    with torch.no_grad():
        model[3].weight[0, 0, 0, 0] = 0
    assert mask_of_zeros(model)[0] is None
    known = torch.ones_like(model[3].weight).bool()
    known[0, 0, 0, :2] = False
    mask, _ = mask_of_zeros(model, {"3.weight": known, "3.bias": torch.ones(8).bool()})
    check_mask(model, mask)
    assert torch.equal(mask["3.weight"], known)
