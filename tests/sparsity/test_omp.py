import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from expunge.errors import DivergedError, MaskError
from expunge.sparsity import get_pruner
from expunge.sparsity.mask import apply_mask, mask_sparsity
from expunge.sparsity.pruner import TrainedPruneConfig
from expunge.types import Context


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 1), nn.Linear(4, 4))


def omp(model, **settings):
    context = Context(fabric=Fabric(accelerator="cpu", devices=1))
    return get_pruner("omp").run(model, None, TrainedPruneConfig(**settings), context)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9])
def test_against_a_full_sort_of_magnitudes(model, sparsity):
    weights = [
        (abs(w), name)
        for name in ("0.weight", "1.weight")
        for w in model.get_parameter(name).flatten().tolist()
    ]
    smallest = set(sorted(weights)[: round(sparsity * len(weights))])
    mask = omp(model, sparsity=sparsity)
    pruned = {
        (abs(w), name)
        for name, entry in mask.items()
        for w in model.get_parameter(name)[~entry].tolist()
    }
    assert pruned == smallest


def test_linear_layers_take_part_when_asked(model):
    with torch.no_grad():
        model[2].weight.mul_(1e-3)
        model[2].weight.view(-1)[0] = 10
    mask = omp(model, sparsity=15 / (162 + 24 + 16), layers=("conv", "linear"))
    assert int(mask["2.weight"].sum()) == 1
    assert mask["0.weight"].all()


def test_pruning_again_is_nested(model):
    first = omp(model, sparsity=0.5)
    apply_mask(model, first)
    second = omp(model, sparsity=0.6)
    assert mask_sparsity(second) == pytest.approx(0.6, abs=0.005)
    assert all((first[name] | ~second[name]).all() for name in first)


def test_a_layer_that_would_vanish_is_named(model):
    with torch.no_grad():
        model[1].weight.mul_(1e-3)
    with pytest.raises(MaskError, match=r"layer collapse at sparsity 0\.5000.*none in 1\.weight"):
        omp(model, sparsity=0.5)


def test_weights_that_are_not_finite_are_refused(model):
    with torch.no_grad():
        model[1].weight[0] = float("nan")
    with pytest.raises(DivergedError, match=r"1\.weight"):
        omp(model, sparsity=0.5)
