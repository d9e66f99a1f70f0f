"""Classification against derivatives taken by autograd, in float64."""

import pytest
import torch

from expunge.errors import ConfigError
from expunge.settings import Training
from expunge.tasks.classify import TASK, Classify


@pytest.fixture
def logits():
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


LABELS = torch.tensor([0, 3, 1, 1, 2])


def by_hand(logits, label, smoothing=0.0):
    """−Σ_y t_y log p_y, with t the smoothed target."""
    p = logits.exp() / logits.exp().sum()
    target = torch.full_like(p, smoothing / len(p))
    target[label] += 1 - smoothing
    return -(target * p.log()).sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_and_its_derivatives(logits, smoothing):
    task = Classify(label_smoothing=smoothing)
    found = task.loss(logits, LABELS)
    slopes = task.cotangents(logits, LABELS)
    vector = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    products = task.gauss_newton(logits, vector)
    for i, label in enumerate(LABELS.tolist()):

        def loss(one, label=label):
            return by_hand(one, label, smoothing)

        torch.testing.assert_close(found[i], loss(logits[i]))
        torch.testing.assert_close(
            slopes[i], torch.autograd.functional.jacobian(loss, logits[i].clone())
        )
        hessian = torch.autograd.functional.hessian(loss, logits[i].clone())
        torch.testing.assert_close(products[i], hessian @ vector[i])


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_divergence_is_from_the_teacher_to_the_network(logits, temperature):
    teacher = logits.flip(0) * 2
    found = TASK.divergence(logits, teacher, temperature)
    for one, other, kl in zip(logits, teacher, found, strict=True):
        p, q = ((x / temperature).exp() for x in (one, other))
        p, q = p / p.sum(), q / q.sum()
        torch.testing.assert_close(kl, (q * (q / p).log()).sum())


def test_predictions(logits):
    torch.testing.assert_close(TASK.probabilities(logits), TASK.log_probabilities(logits).exp())
    recorded = TASK.outputs_to_record(logits.bfloat16())
    assert recorded.dtype == torch.float32


def test_bytes_become_numbers_in_0_to_1_and_images_channels_last():
    stored = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    given = TASK.inputs(stored)
    assert torch.equal(given, stored / 255)
    assert given.is_contiguous(memory_format=torch.channels_last)
    vectors, tokens = torch.randn(2, 5), {"ids": torch.arange(3)}
    assert TASK.inputs(vectors) is vectors
    assert TASK.inputs(tokens)["ids"] is tokens["ids"]


def test_label_smoothing_is_the_recipes():
    assert TASK.trained_by(Training(label_smoothing=0.2)) == Classify(label_smoothing=0.2)
    with pytest.raises(ConfigError, match=r"label_smoothing must be a finite number in 0\.\.1"):
        Classify(label_smoothing=1.5)
