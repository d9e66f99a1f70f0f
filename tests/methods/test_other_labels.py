"""Random label, SalUn and redirection against their equations, in float64."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.methods.exact import assert_equal, double, pixels_of, whole_passes
from tests.oracles import streams as oracle
from tests.training.shared_work import some_mask
from torch.nn import functional as F

from expunge.errors import ConfigError
from expunge.methods.labels import random_labels
from expunge.methods.random_label import RandomLabelConfig, random_label
from expunge.methods.redirect import RedirectConfig, redirect, redirected
from expunge.methods.salun import SalUnConfig, salient_weights, salun
from expunge.scenarios import at_random, by_class, make_split
from expunge.tasks import get_task
from expunge.tasks.generate import CONDITION, NOISY

SETTINGS = {
    "alpha": 0.7,
    "epochs": 3,
    "lr": 0.02,
    "momentum": 0.8,
    "weight_decay": 1e-3,
    "batch_size": 8,
}


def masked(model, sparse):
    mask = some_mask(model) if sparse else None
    for name, kept in (mask or {}).items():
        model.get_parameter(name).data.mul_(kept)
    return mask


def by_hand(model, samples, split, others, context, only):
    retain = whole_passes(split.retain, 8, context.generator("order"), 3)
    forget = whole_passes(split.forget, 8, context.generator("order:forget"), 40)
    expected, steps = copy.deepcopy(model), list(zip(retain, forget, strict=False))
    pixels, mask = pixels_of(samples), context.mask
    oracle.other_labels(
        expected, pixels, samples.labels, others, steps, 0.7, 0.02, 0.8, 1e-3, mask, only
    )
    return expected


@pytest.mark.parametrize("sparse", [False, True])
def test_random_label_is_the_equation(samples, exact, sparse):
    split, model = make_split(samples, at_random(0.3, seed=1)), double()
    context = replace(exact, mask=masked(model, sparse))
    ours = random_label(model, split, RandomLabelConfig(**SETTINGS), context)
    others = random_labels(split, context)
    assert_equal(ours, by_hand(model, samples, split, others, context, {}))


def test_labels_are_wrong_for_the_forgotten_and_right_for_the_rest(samples, context):
    split = make_split(samples, at_random(0.5, seed=1))
    found = [random_labels(split, replace(context, seed=seed)) for seed in range(20)]
    for labels in found:
        assert bool((labels[split.forget] != samples.labels[split.forget]).all())
        assert torch.equal(labels[split.retain], samples.labels[split.retain])
    one = torch.stack(found)[:, split.forget]
    assert all(len(column.unique()) == 2 for column in one.T), "both other classes"


def saliency(model, samples, split):
    """|∇ mean ℓ(forget)|, one sample after another."""
    model = copy.deepcopy(model).eval()
    pixels, total = pixels_of(samples), {}
    for row in split.forget.tolist():
        loss = F.cross_entropy(model(pixels[row : row + 1]), samples.labels[row : row + 1])
        for (name, _), gradient in zip(
            model.named_parameters(),
            torch.autograd.grad(loss, list(model.parameters())),
            strict=True,
        ):
            total[name] = total.get(name, 0) + gradient / len(split.forget)
    return {name: gradient.abs() for name, gradient in total.items()}


@pytest.mark.parametrize("sparse", [False, True])
def test_salun_changes_weights_whose_gradient_is_at_least_the_median(samples, exact, sparse):
    split, model = make_split(samples, at_random(0.3, seed=1)), double()
    context = replace(exact, mask=masked(model, sparse))
    config = SalUnConfig(**SETTINGS)
    salient = salient_weights(model, split, config, context)
    gradients, mask = saliency(model, samples, split), context.mask or {}
    ranked = sorted(
        float(value)
        for name, gradient in gradients.items()
        for value in gradient[mask.get(name, torch.ones_like(gradient, dtype=torch.bool))]
    )
    middle = ranked[len(ranked) - round(len(ranked) / 2)]
    for name, gradient in gradients.items():
        assert torch.equal(salient[name], gradient >= middle * (1 - 1e-9)), name
    ours = salun(model, split, config, context)
    for name, free in salient.items():
        assert torch.equal(ours.get_parameter(name)[~free], model.get_parameter(name)[~free]), (
            f"{name} moved"
        )
    others = random_labels(split, context)
    assert_equal(ours, by_hand(model, samples, split, others, context, salient))


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_share_of_weights_is_the_setting(samples, context, share):
    split, model = make_split(samples, by_class(1)), double().float()
    salient = salient_weights(model, split, SalUnConfig(share=share), context)
    free = torch.cat([each.flatten() for each in salient.values()]).double().mean()
    # Ties at zero, of dead units, are salient together.
    assert float(free) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("to", [0, None])
def test_redirection_is_the_equation(samples, exact, to):
    split, model = make_split(samples, by_class(1)), double()
    ours = redirect(model, split, RedirectConfig(to=to, **SETTINGS), exact)
    others = samples.labels.clone()
    others[split.forget] = 0 if to == 0 else 2
    assert_equal(ours, by_hand(model, samples, split, others, exact, {}))


def test_samples_of_a_whole_last_class_go_to_the_first(samples):
    split = make_split(samples, by_class(2))
    assert redirected(split, None)[split.forget].unique().tolist() == [0]


def test_samples_of_several_classes_each_go_to_their_next(samples):
    split = make_split(samples, at_random(0.5, seed=1))
    was, now = samples.labels[split.forget], redirected(split, None)[split.forget]
    assert torch.equal(now, (was + 1) % 3)


@pytest.mark.parametrize(
    ("to", "message"),
    [(1, "to must be a class that is not forgotten, got 1"), (3, r"a class in 0\.\.2, got 3")],
)
def test_a_class_that_is_none_or_forgotten_is_refused(samples, to, message):
    with pytest.raises(ConfigError, match=message):
        redirected(make_split(samples, by_class(1)), to)


def test_settings_that_do_nothing_are_refused():
    with pytest.raises(ConfigError, match="share must be more than 0"):
        SalUnConfig(share=0)
    with pytest.raises(ConfigError, match=r"alpha must be a finite number in 0\.\., got -1"):
        RandomLabelConfig(alpha=-1)


class Denoiser(torch.nn.Module):
    """A scale and a number for each class."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(0.3, dtype=torch.float64))
        self.classes = torch.nn.Parameter(torch.tensor([0.1, -0.4, 0.6], dtype=torch.float64))

    def forward(self, inputs):
        return self.scale * inputs[NOISY] + self.classes[inputs[CONDITION]].reshape(-1, 1, 1, 1)


def test_a_model_that_generates_gives_what_the_original_gives_for_the_other_class(samples, exact):
    """By hand: noise of each stream, and SGD on α‖ε − ε̂‖² + ‖ε̂(y) − ε̂_original(y′)‖²."""
    split, model = make_split(samples, by_class(1)), Denoiser()
    context = replace(exact, task=get_task("generate"))
    config = RandomLabelConfig(**{**SETTINGS, "epochs": 1, "momentum": 0.0, "weight_decay": 0.0})
    ours = random_label(model, split, config, context)
    others = random_labels(split, context)
    expected, original = copy.deepcopy(model), copy.deepcopy(model)
    draws = {name: context.generator(f"task:{name}") for name in ("0", "forget")}
    retain = whole_passes(split.retain, 8, context.generator("order"), 1)
    forget = whole_passes(split.forget, 8, context.generator("order:forget"), 9)
    (pixels,) = samples.inputs.batches([torch.arange(60)])
    task = context.task
    for batches in zip(retain, forget, strict=False):
        total = 0
        for batch, name in zip(batches, ("0", "forget"), strict=True):
            drawn = task.draw(len(batch), (1, 8, 8), draws[name])
            inputs, noise = task.example(pixels[batch], samples.labels[batch], drawn)
            inputs[NOISY] = inputs[NOISY].double()
            if name == "0":
                total = total + 0.7 * (expected(inputs) - noise).square().mean()
            else:
                wrong = {**inputs, CONDITION: others[batch]}
                target = original(wrong).detach()
                total = total + (expected(inputs) - target).square().mean()
        gradients = torch.autograd.grad(total, list(expected.parameters()))
        with torch.no_grad():
            for p, gradient in zip(expected.parameters(), gradients, strict=True):
                p -= 0.02 * gradient
    torch.testing.assert_close(ours.scale, expected.scale, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(ours.classes, expected.classes, rtol=1e-6, atol=1e-8)
    assert not torch.equal(ours.classes, model.classes)
