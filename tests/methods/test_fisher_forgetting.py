"""FF: the noise's variance against the equations, in float64, and where it goes."""

import math
from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network
from tests.oracles import curvature as oracle

from expunge.errors import ConfigError, DivergedError, ModelError
from expunge.methods.fisher_forgetting import FisherForgettingConfig, fisher_forgetting
from expunge.scenarios import at_random, by_class, make_split

ALPHA = 1e-6
HEAD = ("head.weight", "head.bias")


@pytest.fixture
def model():
    return small_network(2).double()


@pytest.fixture(params=["class", "random"])
def split(request, samples):
    return make_split(samples, by_class(1) if request.param == "class" else at_random(0.3, seed=1))


def retained(samples, split):
    pixels = next(iter(samples.inputs.batches([split.retain])))
    return (pixels.float() / 255).double()


def by_name(vector, model):
    parts = vector.split([p.numel() for p in model.parameters()])
    return {n: v.view(p.shape) for (n, p), v in zip(model.named_parameters(), parts, strict=True)}


def expected(model, variances, context, means=None):
    """θ + √variance ⊙ noise, the noise drawn parameter by parameter."""
    generator = context.generator("noise")
    found = {}
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        mean = p.detach() if means is None else means[name]
        found[name] = mean + variances[name].sqrt() * noise
    return found


def assert_same(model, weights):
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.detach(), weights[name], msg=name)


def test_noise_has_the_variance_of_the_inverse_fisher(model, samples, split, context):
    config = FisherForgettingConfig(alpha=ALPHA, max_variance=1e4)
    ours = fisher_forgetting(model, split, config, context)
    fisher = by_name(oracle.fisher_diagonal(model.eval(), retained(samples, split)), model)
    means = {name: p.detach().clone() for name, p in model.named_parameters()}
    variances = {}
    for name, f in fisher.items():
        variances[name] = ALPHA * torch.minimum(1 / f, torch.full_like(f, 1e4))
        if split.classes and name in HEAD:
            means[name][1] = 0
            variances[name][1] = 1e-4
    assert any(bool((1 / f > 1e4).any()) for f in fisher.values())
    assert any(bool((1 / f < 1e4).any()) for f in fisher.values())
    assert_same(ours, expected(model, variances, context, means))


def test_the_published_variant(model, samples, split, context):
    config = FisherForgettingConfig(alpha=ALPHA, fisher="batch_mean", batch_size=16)
    ours = fisher_forgetting(model, split, config, context)
    images = retained(samples, split)
    fisher = by_name(oracle.batch_mean_fisher(model.eval(), images, 16), model)
    means = {name: p.detach().clone() for name, p in model.named_parameters()}
    variances = {}
    for name, f in fisher.items():
        most = 1e2 if name in HEAD else 1e3
        variance = ALPHA * (1 / (f + 1e-8)).clamp(max=most)
        if variance.ndim > 1:
            variance = variance.mean(1, keepdim=True).expand_as(f).clone()
        if split.classes and name in HEAD:
            means[name][1] = 0
            variance[1] = 1e-4
        if name in HEAD or f.ndim == 1:
            variance = variance * 10
        variances[name] = variance
    assert_same(ours, expected(model, variances, context, means))


@pytest.mark.parametrize("fisher", ["per_sample", "sampled", "signs", "batch_mean"])
def test_random_forgetting_leaves_every_row_of_the_head_about_its_mean(
    model, samples, context, fisher
):
    split = make_split(samples, at_random(0.3, seed=1))
    ours = fisher_forgetting(model, split, FisherForgettingConfig(fisher=fisher), context)
    largest = math.sqrt(3e-8 * 1e3 * 10) * 6  # the published form has ten times the variance
    for name, p in ours.named_parameters():
        moved = p.detach() - model.get_parameter(name).detach()
        assert float(moved.abs().max()) < largest, name
        assert bool(moved.any()), name


def test_several_classes_lose_their_rows(model, samples, context):
    split = make_split(samples, by_class(0, 2))
    config = FisherForgettingConfig(class_variance=0.0)
    ours = fisher_forgetting(model, split, config, context)
    assert not bool(ours.head.weight[[0, 2]].any())
    assert bool(ours.head.weight[1].all())


@pytest.mark.parametrize("fisher", ["sampled", "signs"])
def test_what_is_drawn_for_an_estimate_comes_from_the_seed(model, split, context, fisher):
    config = FisherForgettingConfig(fisher=fisher, draws=2)
    one, two = (fisher_forgetting(model, split, config, context) for _ in range(2))
    assert all(map(torch.equal, one.parameters(), two.parameters()))
    other = fisher_forgetting(model, split, config, replace(context, seed=1))
    assert not torch.equal(one.conv.weight, other.conv.weight)


def test_frozen_and_pruned_weights_stay(model, split, context):
    model.conv2.weight.requires_grad_(False)
    mask = {
        "conv.weight": torch.rand(model.conv.weight.shape) < 0.5,
        "conv2.weight": torch.ones_like(model.conv2.weight, dtype=torch.bool),
    }
    with torch.no_grad():
        model.conv.weight.mul_(mask["conv.weight"])
    ours = fisher_forgetting(model, split, FisherForgettingConfig(), replace(context, mask=mask))
    assert torch.equal(ours.conv2.weight, model.conv2.weight)
    assert not ours.conv2.weight.requires_grad
    assert not bool(ours.conv.weight[~mask["conv.weight"]].any())
    assert bool((ours.conv.weight != model.conv.weight)[mask["conv.weight"]].all())


def test_what_cannot_be_is_refused(model, split, context):
    with pytest.raises(DivergedError, match="alpha=1e\\+308"):
        fisher_forgetting(model, split, FisherForgettingConfig(alpha=1e308), context)
    for p in model.parameters():
        p.requires_grad_(False)
    with pytest.raises(ModelError, match="no weight to change"):
        fisher_forgetting(model, split, FisherForgettingConfig(), context)
    with pytest.raises(ConfigError, match=r"fisher must be one of per_sample, sampled"):
        FisherForgettingConfig(fisher="other")
    with pytest.raises(ConfigError, match="alpha"):
        FisherForgettingConfig(alpha=-1)
