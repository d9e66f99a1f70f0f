import numpy as np
import pytest
import torch
from torch import nn

from expunge.errors import ConfigError, MaskError, ModelError
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.sparsity import PRUNERS, get_pruner
from expunge.sparsity.mask import layer_report
from expunge.sparsity.synflow import flow_scores, make_positive
from expunge.sparsity.working_copy import working_copy
from expunge.types import Context

SYNFLOW = get_pruner("synflow")
BOTH = ("conv", "linear")


class Shape:
    """Samples of which a pruner may know no more than the shape."""

    def __init__(self, *shape):
        self.inputs = type("Images", (), {"shape": shape, "kind": "images"})


def scores_of(model, shape, layers=("conv",), mask=None):
    network, weights = working_copy(model, layers, mask, torch.device("cpu"))
    make_positive(network)
    return flow_scores(network, weights, shape)


@pytest.fixture
def linear():
    """1x1 convolutions and a head without bias: R is a product of three matrices."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(2, 5, 1, bias=False),
            nn.BatchNorm2d(5),
            nn.ReLU(),
            nn.Conv2d(5, 4, 1, bias=False),
            nn.Flatten(),
            nn.Linear(4, 3, bias=False),
        ).double()


def by_hand(first, second, head):
    """Flow into a weight, times the weight, times flow out of it: every path counted."""
    into = [np.ones(2), first.sum(1), (second @ first).sum(1)]
    out = [(head @ second).sum(0), head.sum(0), np.ones(3)]
    return [
        out[i][:, None] * layer * into[i][None, :] for i, layer in enumerate((first, second, head))
    ]


def matrices(model):
    scale = 1 / np.sqrt(1 + 1e-5)  # what a new batch norm multiplies by
    first, second, head = (
        model[i].weight.detach().flatten(1).abs().numpy().copy() for i in (0, 3, 5)
    )
    return first * scale, second, head


def test_closed_form_on_a_linear_network(linear):
    expected = by_hand(*matrices(linear))
    scores = scores_of(linear, (2, 1, 1), BOTH)
    for score, oracle in zip(scores.values(), expected, strict=True):
        np.testing.assert_allclose(score.flatten(1).numpy(), oracle, rtol=1e-12)


def test_every_layer_carries_the_whole_flow(linear):
    scores = scores_of(linear, (2, 1, 1), BOTH)
    sums = [float(score.sum()) for score in scores.values()]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-12)


@pytest.mark.parametrize("rounds", [1, 2, 7])
def test_all_rounds_against_slow_pruning(linear, fabric, rounds):
    layers, sparsity = list(matrices(linear)), 0.6
    n = sum(layer.size for layer in layers)
    for done in range(1, rounds + 1):
        scores = by_hand(*layers)
        ranked = sorted(
            (float(scores[i][at]), i, at)
            for i, layer in enumerate(layers)
            for at in np.ndindex(layer.shape)
        )
        for _, i, at in ranked[: round((1 - (1 - sparsity) ** (done / rounds)) * n)]:
            layers[i][at] = 0
    config = SYNFLOW.config(sparsity=sparsity, rounds=rounds, layers=BOTH)
    mask = SYNFLOW.run(linear, Shape(2, 1, 1), config, Context(fabric=fabric))
    for entry, layer in zip(mask.values(), layers, strict=True):
        np.testing.assert_array_equal(entry.flatten(1).numpy(), layer > 0)


def test_many_rounds_prune_otherwise_than_one(linear, fabric):
    context = Context(fabric=fabric)
    one, many = (
        SYNFLOW.run(
            linear,
            Shape(2, 1, 1),
            SYNFLOW.config(sparsity=0.6, rounds=rounds, layers=BOTH),
            context,
        )
        for rounds in (1, 50)
    )
    assert any(not torch.equal(one[name], many[name]) for name in one)


def test_what_is_pruned_already_stays_so(linear, fabric):
    gone = {
        "0.weight": torch.ones(5, 2, 1, 1, dtype=torch.bool),
        "3.weight": torch.ones(4, 5, 1, 1, dtype=torch.bool),
    }
    gone["3.weight"][0] = False
    context = Context(fabric=fabric, mask=gone)
    mask = SYNFLOW.run(linear, Shape(2, 1, 1), SYNFLOW.config(sparsity=0.5), context)
    assert not mask["3.weight"][0].any()
    assert sum(int((~entry).sum()) for entry in mask.values()) == 15


def test_signs_and_statistics_do_not_matter(linear):
    expected = scores_of(linear, (2, 1, 1))
    with torch.no_grad():
        linear[0].weight.mul_(-1)
        linear[1].running_mean.fill_(3)
        linear[1].running_var.fill_(100)
    found = scores_of(linear, (2, 1, 1))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("name", ["vgg16_bn", "resnet50"])
def test_deep_networks_neither_overflow_nor_collapse(name, fabric):
    model = build(ModelSpec(name=name, num_classes=10, in_channels=3, width=0.125), seed=0)
    config = SYNFLOW.config(sparsity=0.1, rounds=5)
    mask = SYNFLOW.run(model, Shape(3, 32, 32), config, Context(fabric=fabric))
    assert all(layer.kept for layer in layer_report(mask))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(16)  # far wider and deeper than any network that is published
    scores = scores_of(model, (3, 32, 32))
    assert max(float(score.max()) for score in scores.values()) > torch.finfo(torch.float32).max
    assert all(bool(score.isfinite().all() and score.any()) for score in scores.values())


def test_a_network_through_which_nothing_flows_is_refused(fabric):
    class Negative(nn.Module):
        def forward(self, hidden):
            return -hidden

    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), Negative(), nn.ReLU(), nn.Flatten())
    with pytest.raises(ModelError, match=r"flow through the network is -?0\.0"):
        SYNFLOW.run(model, Shape(1, 1, 1), SYNFLOW.config(), Context(fabric=fabric))


def test_collapse_in_a_round_is_named(fabric):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 30, 1), nn.Flatten())
    config = SYNFLOW.config(sparsity=0.99)
    with pytest.raises(MaskError, match=r"layer collapse.*none in (0|1)\.weight"):
        SYNFLOW.run(model, Shape(1, 1, 1), config, Context(fabric=fabric))


def test_settings():
    assert SYNFLOW.config().rounds == 100
    assert SYNFLOW in PRUNERS
    assert SYNFLOW.when == "initial"
    with pytest.raises(ConfigError, match="rounds must be"):
        SYNFLOW.config(rounds=0)
    with pytest.raises(TypeError, match="rewind"):
        SYNFLOW.config(rewind=True)
