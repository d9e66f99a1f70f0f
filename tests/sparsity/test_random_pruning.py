import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from expunge.sparsity import get_pruner
from expunge.sparsity.mask import layer_report
from expunge.sparsity.pruner import TrainedPruneConfig
from expunge.types import Context


def draw(model, seed, sparsity=0.5):
    context = Context(fabric=Fabric(accelerator="cpu", devices=1), seed=seed)
    return get_pruner("random").run(model, None, TrainedPruneConfig(sparsity=sparsity), context)


@pytest.fixture
def model():
    return nn.Sequential(nn.Conv2d(4, 40, 5), nn.Conv2d(40, 50, 1))


def test_seeds_draw_differently(model):
    first, second = draw(model, 0), draw(model, 1)
    assert not torch.equal(first["0.weight"], second["0.weight"])


def test_weights_do_not_matter(model):
    first = draw(model, 0)
    nn.init.zeros_(model[0].weight)
    assert torch.equal(first["0.weight"], draw(model, 0)["0.weight"])


def test_every_layer_loses_its_share(model):
    # Hypergeometric: the share of a layer of 2000 of 6000 weights has a deviation of 0.007.
    for layer in layer_report(draw(model, 3, sparsity=0.8)):
        assert layer.sparsity == pytest.approx(0.8, abs=0.03)
