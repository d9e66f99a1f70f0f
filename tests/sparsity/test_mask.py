import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from expunge.errors import ConfigError, MaskError
from expunge.sparsity.mask import (
    apply_mask,
    check_mask,
    check_not_collapsed,
    layer_report,
    mask_sparsity,
    prunable,
    sparsity_of,
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.stem = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.Linear(4, 2))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Net()


def full(model, layers=("conv",)):
    return {
        name: torch.ones_like(weight, dtype=torch.bool)
        for name, weight in prunable(model, layers).items()
    }


def test_prunable_weights_by_kind(model):
    assert list(prunable(model)) == ["stem.weight", "inner.0.weight"]
    assert list(prunable(model, ("linear",))) == ["fc.weight", "inner.1.weight"]
    both = prunable(model, ("conv", "linear"))
    assert list(both) == ["fc.weight", "stem.weight", "inner.0.weight", "inner.1.weight"]
    assert both["stem.weight"] is model.stem.weight
    assert list(prunable(model.stem)) == ["weight"]


def test_a_shared_weight_is_listed_once(model):
    model.again = model.stem
    assert list(prunable(model)) == ["stem.weight", "inner.0.weight"]


def test_nothing_to_prune():
    with pytest.raises(MaskError, match="no weights in layers of kind conv: choose"):
        prunable(nn.Linear(2, 2), ("conv",))
    with pytest.raises(MaskError, match="no weights in layers of kind conv or linear: choose"):
        prunable(nn.BatchNorm1d(2))
    with pytest.raises(MaskError, match=r"of kind \(none\)"):
        prunable(nn.Linear(2, 2), ())
    with pytest.raises(ConfigError, match="layers must be one of auto, conv, linear, got 'norm'"):
        prunable(nn.Linear(2, 2), ("norm",))


def test_without_convolutions_all_linear_layers_but_the_head():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 2))
    assert list(prunable(model)) == ["0.weight", "2.weight"]
    assert list(prunable(model, ("auto", "linear"))) == ["0.weight", "2.weight", "3.weight"]
    assert list(prunable(model[0])) == ["weight"]
    check_mask(model, full(model, ("auto",)))
    check_mask(model, full(model, ("linear",)))
    mask = full(model, ("auto",))
    del mask["0.weight"]
    with pytest.raises(MaskError, match=r"missing 0\.weight"):
        check_mask(model, mask)


@pytest.mark.parametrize("layers", [("conv",), ("linear",), ("conv", "linear")])
def test_a_mask_of_the_model_passes(model, layers):
    check_mask(model, full(model, layers))


def test_a_mask_of_another_model_is_refused_by_name(model):
    mask = full(model)
    mask["layer9.weight"] = mask.pop("stem.weight")
    mask["norm.running_mean"] = torch.ones(4, dtype=torch.bool)
    mask["inner.0.weight"] = torch.ones(4, 4, dtype=torch.bool)
    with pytest.raises(MaskError) as caught:
        check_mask(model, mask)
    assert str(caught.value) == (
        "the mask is not of this Net (expected 2 entries, got 3): missing stem.weight; "
        "unexpected layer9.weight, norm.running_mean; not fitting inner.0.weight "
        "(expected bool (4, 4, 1, 1), got bool (4, 4))"
    )


def test_a_mask_that_is_not_bool_is_refused(model):
    mask = {name: entry.float() for name, entry in full(model).items()}
    with pytest.raises(MaskError, match=r"expected bool \(4, 3, 3, 3\), got float32"):
        apply_mask(model, mask)


def test_an_empty_mask_is_refused(model):
    with pytest.raises(MaskError, match="missing stem"):
        check_mask(model, {})
    with pytest.raises(MaskError, match="nothing to prune"):
        check_mask(nn.BatchNorm2d(2), {})


def test_at_most_ten_entries_are_listed():
    model = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(13)))
    with pytest.raises(MaskError, match=r"missing 0\.weight.* and 2 more"):
        check_mask(model, {"12.weight": torch.ones(1, 1, 1, 1, dtype=torch.bool)})


def test_apply_mask_zeroes_what_is_pruned_and_nothing_else(model):
    mask = {name: torch.rand(entry.shape) < 0.5 for name, entry in full(model).items()}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    apply_mask(model, mask)
    for name, tensor in model.state_dict().items():
        kept = mask.get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(tensor, torch.where(kept, before[name], torch.zeros_like(tensor)))
    assert model.stem.weight.requires_grad


@settings(max_examples=20, deadline=None)
@given(kept=st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=4))
def test_reports_count_what_is_there(kept):
    mask = {f"{i}": torch.tensor(entry) for i, entry in enumerate(kept)}
    report = layer_report(mask)
    assert [(each.name, each.kept, each.total) for each in report] == [
        (str(i), sum(entry), len(entry)) for i, entry in enumerate(kept)
    ]
    flat = [entry for layer in kept for entry in layer]
    assert mask_sparsity(mask) == pytest.approx(1 - sum(flat) / len(flat))
    assert report[0].sparsity == pytest.approx(1 - sum(kept[0]) / len(kept[0]))
    assert report[0].shape == (len(kept[0]),)
    empty = [str(i) for i, entry in enumerate(kept) if not any(entry)]
    if empty:
        with pytest.raises(MaskError, match=f"layer collapse.*got none in {', '.join(empty)};"):
            check_not_collapsed(mask)
    else:
        check_not_collapsed(mask)


def test_sparsity_is_counted_at_a_threshold(model):
    with torch.no_grad():
        model.stem.weight.fill_(1.0)
        model.inner[0].weight.fill_(0.5)
        model.stem.weight.view(-1)[:27] = 0
        model.stem.weight.view(-1)[:9] = -0.0
    assert sparsity_of(model) == pytest.approx(27 / 124)
    assert sparsity_of(model, threshold=0.5) == pytest.approx((27 + 16) / 124)
    assert sparsity_of(model, ["stem.weight"]) == pytest.approx(27 / 108)
    assert sparsity_of(model, ["norm.bias"]) == 1.0


def test_sparsity_of_nothing(model):
    with pytest.raises(MaskError, match="names of parameters, got stem"):
        sparsity_of(model, ["stem"])
    with pytest.raises(MaskError, match="count zeros in, got none"):
        sparsity_of(model, [])


def test_pruners_refuse_weights_that_are_computed_by_the_layers_name(model):
    nn.utils.parametrizations.weight_norm(model.stem)
    with pytest.raises(MaskError, match=r"computed: stem \(WeightNorm\); make them plain with "):
        prunable(model)
    assert list(prunable(model, ("linear",))) == ["fc.weight", "inner.1.weight"]
    nn.utils.prune.l1_unstructured(model.inner[0], "weight", 1)
    with pytest.raises(MaskError, match=r"stem \(WeightNorm\), inner.0 \(L1Unstructured\)"):
        prunable(model)


def test_a_mask_may_cover_other_parameters(model):
    mask = {**full(model), "norm.weight": torch.ones(4, dtype=torch.bool)}
    check_mask(model, mask)
    with pytest.raises(MaskError, match=r"not fitting norm.weight \(expected bool \(4,\)"):
        check_mask(model, {**mask, "norm.weight": torch.ones(3, dtype=torch.bool)})
    check_mask(model, {"norm.weight": torch.ones(4, dtype=torch.bool)})
