"""Sampling against DDIM's equation, in float64."""

import pytest
import torch
from lightning_fabric import Fabric
from tests.tasks.test_generate import kept
from torch import nn

from expunge.errors import DivergedError
from expunge.tasks.generate import CONDITION, NOISY, STEP, Generate
from expunge.training.sample import sample_images


class Linear(nn.Module):
    """Noise that depends on the image, the step and the class."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, inputs):
        at = (inputs[STEP].float() / 1000 + 0.1 * inputs[CONDITION]).reshape(-1, 1, 1, 1)
        return self.scale * inputs[NOISY] + 0.1 * at


def by_hand(noise, label, steps):
    """x_s = sqrt(a_s) x_0 + sqrt(1 - a_s) e, with x_0 clipped to -1..1, and e made to fit it."""
    x = float(noise)
    times = [round(1000 - 1000 / steps * number) - 1 for number in range(steps)]
    for t, after in zip(times, [*times[1:], None], strict=True):
        a, s = kept(t), kept(after) if after is not None and after >= 0 else None
        e = 0.7 * x + 0.1 * (t / 1000 + 0.1 * label)
        start = (x - (1 - a) ** 0.5 * e) / a**0.5
        start = max(-1.0, min(1.0, start))
        last = 1.0 if s is None else s
        x = last**0.5 * start + (1 - last) ** 0.5 * e
    return x


def made(model, conditions, batch_size=None, steps=5, seed=1):
    return sample_images(
        model,
        conditions,
        (1, 1, 2),
        torch.Generator().manual_seed(seed),
        Fabric(accelerator="cpu", devices=1),
        task=Generate(),
        steps=steps,
        batch_size=batch_size,
    )


def test_it_is_the_equation():
    conditions = torch.tensor([0, 3, 1])
    noise = torch.randn((3, 1, 1, 2), generator=torch.Generator().manual_seed(1))
    found = made(Linear(), conditions)
    assert found.dtype == torch.uint8
    for row, label in enumerate(conditions.tolist()):
        for column in range(2):
            pixel = by_hand(noise[row, 0, 0, column], label, 5)
            expected = round((max(-1, min(1, pixel)) + 1) * 127.5)
            assert int(found[row, 0, 0, column]) == pytest.approx(expected, abs=1)
    assert found.unique().numel() > 2


def test_batches_change_nothing_and_seeds_do():
    conditions = torch.arange(7) % 4
    whole = made(Linear(), conditions)
    assert torch.equal(whole, made(Linear(), conditions, batch_size=3))
    assert not torch.equal(whole, made(Linear(), conditions, seed=2))


def test_modes_are_put_back_and_global_random_state_is_not_used():
    model, state = Linear().train(), torch.random.get_rng_state()
    made(model, torch.tensor([0]))
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), state)


def test_images_that_are_not_finite_are_refused():
    model = Linear()
    model.scale.data.fill_(float("nan"))
    with pytest.raises(DivergedError, match="2 of 2 images are not finite"):
        made(model, torch.tensor([0, 1]))
