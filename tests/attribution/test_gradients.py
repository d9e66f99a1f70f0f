"""Gradient similarity and attribution by unlearning, against their definitions in float64."""

import copy

import pytest
import torch
from tests.conftest import small_network
from torch import nn

from expunge.attribution.gradient_similarity import GradientSimilarityConfig, gradient_similarity
from expunge.attribution.unlearning import UnlearningConfig, unlearning
from expunge.data.splits import subset
from expunge.errors import ConfigError


@pytest.fixture
def network():
    return small_network().double()


@pytest.fixture
def targets(samples):
    return subset(samples, torch.tensor([4, 20]))


def images_at(samples, row):
    """As the task gives them: rounded to float32."""
    return (samples.inputs.tensor[row : row + 1].float() / 255).double()


def loss_of(model, samples, row):
    images = images_at(samples, row)
    return nn.functional.cross_entropy(model(images), samples.labels[row : row + 1])


def gradient_of(model, samples, row):
    model.eval()
    found = torch.autograd.grad(loss_of(model, samples, row), list(model.parameters()))
    return torch.cat([each.flatten() for each in found])


def gradients_by_hand(model, samples):
    return torch.stack([gradient_of(model, samples, row) for row in range(len(samples))])


@pytest.mark.parametrize("measure", ["dot", "cosine"])
def test_similarity_is_of_gradients_of_single_samples(network, samples, targets, context, measure):
    config = GradientSimilarityConfig(measure=measure, batch_size=13)
    found = gradient_similarity(network, samples, targets, config, context).scores
    rows, wanted = (gradients_by_hand(network, each) for each in (samples, targets))
    expected = wanted @ rows.T
    if measure == "cosine":
        expected = expected / wanted.norm(dim=1)[:, None] / rows.norm(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_projection_keeps_products_on_average(network, samples, targets, context):
    exact = gradient_similarity(
        network, samples, targets, GradientSimilarityConfig(), context
    ).scores
    config = GradientSimilarityConfig(projection=4096)
    found = gradient_similarity(network, samples, targets, config, context).scores
    assert torch.corrcoef(torch.stack([exact.flatten(), found.flatten()]))[0, 1] > 0.98
    few = GradientSimilarityConfig(projection=16)
    rough = gradient_similarity(network, samples, targets, few, context).scores
    assert (rough - exact).norm() > 4 * (found - exact).norm()


def test_a_sample_that_is_fitted_exactly_is_like_no_other(network, samples, targets, context):
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([1e4, 0, 0]))
    config = GradientSimilarityConfig(measure="cosine")
    found = gradient_similarity(network, samples, targets, config, context).scores
    fitted = samples.labels == 0
    assert found.isfinite().all()
    assert not found[:, fitted].any()
    assert found[:, ~fitted].any()


def fisher_by_hand(model, samples):
    """The mean over samples, and over labels drawn from p, of squared gradients."""
    total = 0
    for row in range(len(samples)):
        images = images_at(samples, row)
        log_p = model(images).log_softmax(1)[0]
        for label in range(3):
            found = torch.autograd.grad(log_p[label], list(model.parameters()), retain_graph=True)
            flat = torch.cat([each.flatten() for each in found])
            total = total + float(log_p[label].detach().exp()) * flat**2 / len(samples)
    return total


@pytest.mark.parametrize("precondition", ["none", "fisher"])
def test_unlearning_is_steps_up_the_targets_loss(network, samples, targets, context, precondition):
    config = UnlearningConfig(
        steps=3, distance=0.02, precondition=precondition, relative_damping=0.5, batch_size=13
    )
    found = unlearning(network, samples, targets, config, context).scores
    network.eval()
    scale = torch.ones(())
    if precondition == "fisher":
        fisher = fisher_by_hand(network, samples)
        scale = fisher + 0.5 * fisher.sum() / (fisher > 0).sum()
    start = nn.utils.parameters_to_vector(network.parameters()).detach()
    for place in range(2):
        moved = copy.deepcopy(network)
        weights = start.clone()
        for _ in range(3):
            nn.utils.vector_to_parameters(weights, moved.parameters())
            direction = gradient_of(moved, targets, place) / scale
            weights = weights + 0.02 * start.norm() / 3 * direction / direction.norm()
        nn.utils.vector_to_parameters(weights, moved.parameters())
        expected = [
            float((loss_of(moved, samples, row) - loss_of(network, samples, row)).detach())
            for row in range(len(samples))
        ]
        torch.testing.assert_close(
            found[place], torch.tensor(expected).double(), rtol=1e-5, atol=1e-8
        )


def test_a_short_step_is_the_product_of_gradients(network, samples, targets, context):
    config = UnlearningConfig(steps=1, distance=1e-6, precondition="none")
    found = unlearning(network, samples, targets, config, context).scores
    dot = gradient_similarity(network, samples, targets, GradientSimilarityConfig(), context).scores
    torch.testing.assert_close(
        nn.functional.normalize(found), nn.functional.normalize(dot), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("name", ["distance", "relative_damping"])
def test_settings_that_would_do_nothing_are_refused(name):
    with pytest.raises(ConfigError, match=f"{name} must be more than 0"):
        UnlearningConfig(**{name: 0})
