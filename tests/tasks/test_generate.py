"""The task `generate` against its equations, in float64."""

import math

import pytest
import torch

from expunge.errors import ConfigError, DataError
from expunge.settings import Training
from expunge.tasks.generate import CONDITION, NOISY, STEP, Generate

TASK = Generate()


def kept(step, steps=1000):
    """a_t of Nichol and Dhariwal 2021, equation 17, with betas of at most 0.999."""

    def f(t):
        return math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2

    product = 1.0
    for each in range(step + 1):
        product *= 1 - min(1 - f(each + 1) / f(each), 0.999)
    return product


def test_the_network_gets_the_image_with_the_drawn_share_of_noise():
    images = torch.tensor([0, 255, 51], dtype=torch.uint8).reshape(3, 1, 1, 1)
    noise = torch.tensor([0.5, -1.0, 2.0]).reshape(3, 1, 1, 1)
    steps, labels = torch.tensor([0, 400, 999]), torch.tensor([2, 0, 1])
    inputs, targets = TASK.example(images, labels, {"noise": noise, "step": steps})
    for row, (pixel, step) in enumerate(zip((-1.0, 1.0, -0.6), (0, 400, 999), strict=True)):
        share = kept(step)
        expected = math.sqrt(share) * pixel + math.sqrt(1 - share) * float(noise[row])
        assert float(inputs[NOISY][row]) == pytest.approx(expected, abs=1e-5)
    assert inputs[STEP].tolist() == [0, 400, 999]
    assert inputs[CONDITION].tolist() == [2, 0, 1]
    assert torch.equal(targets, noise)


def test_images_of_floats_are_those_of_integers():
    stored = torch.arange(0, 256, 17, dtype=torch.uint8).reshape(1, 1, 4, 4)
    torch.testing.assert_close(TASK.inputs(stored), TASK.inputs(stored.float() / 255))
    assert TASK.inputs(stored).min() == -1
    assert TASK.inputs(stored).max() == 1


def test_what_is_drawn_is_the_generators_and_covers_all_steps():
    one, again = (TASK.draw(4000, (1, 2, 2), torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in ("noise", "step"))
    assert one["step"].min() < 10
    assert one["step"].max() > 989
    assert float(one["step"].float().mean()) == pytest.approx(499.5, abs=25)
    assert float(one["noise"].mean()) == pytest.approx(0, abs=0.05)
    assert float(one["noise"].std()) == pytest.approx(1, abs=0.05)


def test_the_loss_and_its_derivatives_are_those_of_a_mean_square():
    generator = torch.Generator().manual_seed(0)
    outputs, targets, vector = (
        torch.randn(3, 2, 4, 4, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    by_hand = [
        sum(float(o - t) ** 2 for o, t in zip(one.flatten(), two.flatten(), strict=True)) / 32
        for one, two in zip(outputs, targets, strict=True)
    ]
    assert TASK.loss(outputs, targets).tolist() == pytest.approx(by_hand)
    outputs.requires_grad_()
    (gradient,) = torch.autograd.grad(TASK.loss(outputs, targets).sum(), outputs, create_graph=True)
    torch.testing.assert_close(TASK.cotangents(outputs, targets), gradient.detach())
    (product,) = torch.autograd.grad(gradient, outputs, vector)
    torch.testing.assert_close(TASK.gauss_newton(outputs.detach(), vector), product)


def test_the_divergence_is_that_of_normal_distributions():
    one, two = torch.tensor([[0.3, -1.0]]), torch.tensor([[1.3, 0.5]])
    first, second = (torch.distributions.Normal(each, 2.0) for each in (two, one))
    expected = torch.distributions.kl_divergence(first, second).mean(1)
    torch.testing.assert_close(TASK.divergence(one, two, 2.0), expected)


def test_with_another_class_the_target_is_the_answer_for_that_class():
    inputs = {NOISY: torch.ones(2, 1, 2, 2), STEP: torch.zeros(2), CONDITION: torch.tensor([0, 1])}
    found = TASK.targets_as(torch.tensor([5, 7]), inputs, lambda given: given[CONDITION] * 10)
    assert found.tolist() == [50, 70]
    assert inputs[CONDITION].tolist() == [0, 1]


def test_images_without_steps_and_classes_are_refused():
    with pytest.raises(DataError, match=r"expected a dict with .*, got Tensor"):
        TASK.targets_as(torch.tensor([5]), torch.zeros(1, 1, 8, 8), lambda given: given)


def test_smoothed_labels_are_refused():
    with pytest.raises(ConfigError, match=r"leave label_smoothing at 0, got 0\.1"):
        TASK.trained_by(Training(label_smoothing=0.1))


def test_fewer_than_two_steps_are_refused():
    with pytest.raises(ConfigError, match="steps must be a finite number in 2"):
        Generate(steps=1)


def test_probabilities_of_classes_are_refused():
    with pytest.raises(ConfigError, match="no probabilities of classes"):
        TASK.log_probabilities(torch.zeros(1))
