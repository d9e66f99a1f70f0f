"""The Fisher diagonal against brute force, and its sampled estimate against the exact one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.curvature.conftest import flat
from tests.oracles import curvature as oracle
from torch import nn

from expunge.curvature.coordinates import Coordinates
from expunge.curvature.fisher import (
    batch_mean_fisher,
    covariance_root,
    exact_fisher,
    sampled_fisher,
    signed_fisher,
)
from expunge.errors import ModelError
from expunge.tasks.classify import TASK


def uniforms(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_exact_over_classes(model, data, batches):
    found = exact_fisher(model, Coordinates(model), batches, TASK)
    torch.testing.assert_close(flat(found, model), oracle.fisher_diagonal(model, data[0]))


def test_more_classes_than_are_taken_at_once():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 23)).double()
    images = torch.rand((5, 3, 2, 2), generator=torch.Generator().manual_seed(0)).double()
    found = exact_fisher(model, Coordinates(model), lambda: iter([(images, torch.zeros(5))]), TASK)
    torch.testing.assert_close(flat(found, model), oracle.fisher_diagonal(model, images))


def test_the_sampled_estimate_tends_to_the_exact_one(convolutions, batches):
    coordinates = Coordinates(convolutions)
    exact = flat(exact_fisher(convolutions, coordinates, batches, TASK), convolutions)

    def error(draws):
        found = sampled_fisher(convolutions, coordinates, batches, uniforms(11, draws), TASK)
        return float((flat(found, convolutions) - exact).norm() / exact.norm())

    assert error(300) < 0.08
    assert error(300) < error(5)


def test_the_sampled_estimate_is_a_mean_over_draws(convolutions, data, batches):
    """Against the squared gradients of the very labels that were drawn."""
    numbers = uniforms(11, 3)
    found = sampled_fisher(convolutions, Coordinates(convolutions), batches, numbers, TASK)
    images = data[0]
    predicted = convolutions(images).detach().softmax(1)
    total = 0.0
    for drawn in numbers.T:
        labels = [first_beyond(p, u) for p, u in zip(predicted.tolist(), drawn, strict=True)]
        rows = oracle.gradients(convolutions, images, torch.tensor(labels))
        total = total + rows.square().sum(0) / 3
    torch.testing.assert_close(flat(found, convolutions), total / len(images))


def signs(*shape):
    bits = torch.randint(2, shape, generator=torch.Generator().manual_seed(0), dtype=torch.int8)
    return 2 * bits - 1


def test_all_combinations_of_signs_are_the_exact_one(convolutions, batches):
    """So a random one is unbiased."""
    coordinates = Coordinates(convolutions)
    every = torch.cartesian_prod(*[torch.tensor([-1, 1])] * 3)
    found = signed_fisher(convolutions, coordinates, batches, every.expand(11, -1, -1), TASK)
    exact = exact_fisher(convolutions, coordinates, batches, TASK)
    torch.testing.assert_close(found, exact)


def test_the_error_of_random_signs_is_below_its_bound(convolutions, data, batches):
    coordinates = Coordinates(convolutions)
    exact = flat(exact_fisher(convolutions, coordinates, batches, TASK), convolutions)
    shares = torch.stack(
        [oracle.fisher_diagonal(convolutions, image[None]) / len(data[0]) for image in data[0]]
    )
    bound = (2 / 3 * shares.square().sum(0)).sqrt()
    numbers = signs(11, 3 * 30, 3).split(3, 1)
    errors = [
        flat(signed_fisher(convolutions, coordinates, batches, each, TASK), convolutions) - exact
        for each in numbers
    ]
    spread = torch.stack(errors).square().mean(0).sqrt()
    assert float((spread / bound)[exact > 0].square().mean()) < 1


def test_signs_are_exact_for_two_classes():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).double()
    images = torch.rand((5, 3, 2, 2), generator=torch.Generator().manual_seed(0)).double()
    found = signed_fisher(
        model, Coordinates(model), lambda: iter([(images, torch.zeros(5))]), signs(5, 1, 1), TASK
    )
    torch.testing.assert_close(flat(found, model), oracle.fisher_diagonal(model, images))


def first_beyond(probabilities, uniform):
    below = 0.0
    for label, p in enumerate(probabilities):
        below += p
        if uniform < below:
            return label
    return len(probabilities) - 1


def test_no_label_without_probability_is_drawn():
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 3))
    nn.init.zeros_(model[1].weight)
    model[1].bias.data = torch.tensor([-200.0, 1.0, 1.0])
    image = torch.zeros(1, 1, 1, 1)
    found = sampled_fisher(
        model, Coordinates(model), lambda: iter([(image, torch.zeros(1))]), torch.zeros(1, 1), TASK
    )
    torch.testing.assert_close(found["1.bias"], torch.tensor([0.0, 0.25, 0.25]))


def test_no_label_is_drawn_beyond_the_last():
    """Of float32 probabilities whose sum is rounded to less than one."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 1000))
    images = torch.linspace(-1, 1, 50).view(50, 1, 1, 1)
    sums = model(images).softmax(1).cumsum(1)[:, -1]
    assert bool((sums < 1).any())
    largest = torch.full((50, 1), 1 - 2**-24)
    found = sampled_fisher(
        model, Coordinates(model), lambda: iter([(images, torch.zeros(50))]), largest, TASK
    )
    assert all(bool(torch.isfinite(each).all()) for each in found.values())


def test_the_published_variant(model, data, batches):
    found = batch_mean_fisher(model, Coordinates(model), batches, TASK)
    torch.testing.assert_close(flat(found, model), oracle.batch_mean_fisher(model, data[0], 4))


@pytest.mark.parametrize("fisher", [exact_fisher, batch_mean_fisher])
def test_frozen_and_pruned_weights_take_no_part(convolutions, batches, fisher):
    whole = fisher(convolutions, Coordinates(convolutions), batches, TASK)
    convolutions.head.bias.requires_grad_(False)
    mask = {"stem.weight": torch.rand(convolutions.stem.weight.shape) < 0.5}
    found = fisher(convolutions, Coordinates(convolutions, mask), batches, TASK)
    assert set(found) == set(whole) - {"head.bias"}
    torch.testing.assert_close(found["stem.weight"], whole["stem.weight"] * mask["stem.weight"])
    torch.testing.assert_close(found["norm.weight"], whole["norm.weight"])


def test_nothing_to_treat_is_an_error(convolutions):
    for p in convolutions.parameters():
        p.requires_grad_(False)
    with pytest.raises(ModelError, match="no weight to change"):
        Coordinates(convolutions)


@given(
    st.lists(st.floats(-200, 200), min_size=2, max_size=12),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_the_root_is_of_the_covariance_of_a_drawn_label(logits, dtype):
    p = torch.tensor([logits], dtype=torch.float64).softmax(1).to(dtype)
    root = covariance_root(p)
    assert root.shape == (1, len(logits) - 1, len(logits))
    exact = p[0].double()
    expected = exact.diag() - exact.outer(exact)
    found = root[0].double().T @ root[0].double()
    torch.testing.assert_close(
        found, expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-14
    )


@pytest.mark.parametrize("p", [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
def test_classes_of_no_probability_are_no_division_by_zero(p):
    root = covariance_root(torch.tensor([p], dtype=torch.float64))[0]
    exact = torch.tensor(p, dtype=torch.float64)
    torch.testing.assert_close(root.T @ root, exact.diag() - exact.outer(exact))
