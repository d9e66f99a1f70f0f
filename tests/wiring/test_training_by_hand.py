"""The training loop, and that nothing one can set is lost on the way to it."""

from dataclasses import fields, replace
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from lightning_fabric import Fabric
from tests.conftest import small_network
from torch.nn import functional as F

from expunge.data.augment import augment, draw_changes
from expunge.errors import ConfigError
from expunge.methods import METHODS
from expunge.methods.run import run_method
from expunge.scenarios import by_class, make_split
from expunge.settings import Training, derive_seed
from expunge.sparsity import PRUNERS
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.sparsify import sparsify
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

EVERYTHING = Training(
    epochs=3,
    batch_size=14,
    lr=0.05,
    momentum=0.8,
    nesterov=True,
    weight_decay=1e-2,
    schedule="one_cycle",
    warmup_epochs=1,
    label_smoothing=0.2,
    crop_padding=1,
    flip=True,
)


def test_all_that_a_recipe_says_is_what_the_loop_does(samples):
    """Nesterov SGD in float64, transcribed, with every setting at a value that matters."""
    model, ours = small_network().double(), small_network().double()
    context = Context(
        fabric=Fabric(accelerator="cpu", devices=1, precision="64-true"),
        seed=7,
        augmentation=EVERYTHING.augmentation,
    )
    index = torch.arange(5, 60)
    fit(model, Stream(samples, index), task_loss, EVERYTHING, context)

    order = torch.Generator().manual_seed(derive_seed(7, "order"))
    draws = torch.Generator().manual_seed(derive_seed(7, "augmentation:0"))
    # 55 samples are 4 batches an epoch, the last of 13. Up in the first, then down to zero.
    rising, falling = [1 / 4, 2 / 4, 3 / 4, 4 / 4], [1 - step / 8 for step in range(8)]
    rates = iter(0.05 * share for share in rising + falling)
    velocity = {name: torch.zeros_like(p) for name, p in ours.named_parameters()}
    for _ in range(3):
        for batch in torch.split(index[torch.randperm(55, generator=order)], 14):
            (pixels,) = samples.inputs.batches([batch])
            changed = augment(pixels, draw_changes(context.augmentation, len(batch), draws))
            log_p = F.log_softmax(ours((changed.float() / 255).double()), dim=1)
            target = 0.8 * F.one_hot(samples.labels[batch], 3) + 0.2 / 3
            ours.zero_grad()
            (-(target * log_p).sum(1).mean()).backward()
            lr = next(rates)
            with torch.no_grad():
                for name, p in ours.named_parameters():
                    gradient = p.grad + 1e-2 * p
                    velocity[name] = 0.8 * velocity[name] + gradient
                    p -= lr * (gradient + 0.8 * velocity[name])
    for (name, a), b in zip(model.named_parameters(), ours.parameters(), strict=True):
        # Lightning Fabric hands the logits on in float32.
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_look_at_other_samples_between_epochs_changes_nothing(samples, fabric, optimizer):
    """What a fused optimiser keeps of a weight is by where it lies: predicting must not move it."""
    recipe = Training(epochs=3, batch_size=16, lr=0.01, schedule="constant", optimizer=optimizer)
    alone, looked_at = small_network(), small_network()
    fit(alone, Stream(samples, torch.arange(60)), task_loss, recipe, Context(fabric=fabric))

    def look(done):
        if done:  # earlier, the optimiser keeps nothing yet
            predict(looked_at, samples, fabric)

    fit(
        looked_at,
        Stream(samples, torch.arange(60)),
        task_loss,
        recipe,
        Context(fabric=fabric),
        after_epoch=look,
    )
    assert torch.equal(weights_of(alone), weights_of(looked_at))


OTHER = {
    "epochs": 4,
    "batch_size": 20,
    "optimizer": "adamw",
    "lr": 0.02,
    "momentum": 0.5,
    "nesterov": True,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "milestones": (1,),
    "warmup_epochs": 1.0,
    "label_smoothing": 0.1,
    "crop_padding": 1,
    "flip": True,
    "rewind_epoch": None,  # it names weights to keep: the grid by hand uses them
}


def test_every_setting_of_a_recipe_has_a_value_here():
    assert OTHER.keys() == {field.name for field in fields(Training)}


@pytest.mark.parametrize("setting", [name for name, value in OTHER.items() if value is not None])
def test_every_setting_of_a_recipe_changes_the_training(samples, fabric, setting):
    usual = Training(epochs=3, batch_size=16, lr=0.01, milestones=(2,))
    weights = []
    for recipe in (usual, replace(usual, **{setting: OTHER[setting]})):
        model = small_network()
        context = Context(fabric=fabric, augmentation=recipe.augmentation)
        fit(model, Stream(samples, torch.arange(60)), task_loss, recipe, context)
        weights.append(weights_of(model))
    assert not torch.equal(*weights)


SPEED = {("iu", "memory_gib"), ("grasp", "batch_size")}
"""Settings that say how something is computed, not what."""


def settings(registry):
    return [
        pytest.param(entry, field.name, id=f"{entry.name}-{field.name}")
        for entry in registry
        for field in fields(entry.config)
        if (entry.name, field.name) not in SPEED
    ]


@pytest.mark.parametrize(("method", "setting"), settings(METHODS))
def test_every_setting_of_a_method_changes_its_result(samples, context, method, setting):
    split = make_split(samples, by_class(1))
    context = replace(context, training=Training(epochs=2, batch_size=16, lr=0.01))

    def result(config):
        return weights_of(run_method(method, small_network(), split, config, context)[0])

    def differ(a, b):
        try:
            return not torch.equal(result(a), result(b))
        except ConfigError:
            return False  # such as a class that the samples do not have

    assert any(differ(a, b) for a, b in pairs(method.config, setting))


@pytest.mark.parametrize(("pruner", "setting"), settings(PRUNERS))
def test_every_setting_of_a_pruner_changes_its_result(samples, context, pruner, setting):
    context = replace(context, training=Training(epochs=1, batch_size=16, lr=0.01))
    rewind = small_network(3).state_dict()

    def result(config):
        config = replace(config, sparsity=config.sparsity * 0.6)  # of so few weights, some are left
        return weights_of(sparsify(small_network(), samples, pruner, config, context, rewind)[0])

    assert any(not torch.equal(result(a), result(b)) for a, b in pairs(pruner.config, setting))


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def pairs(config, setting):
    """Configurations that differ in `setting` alone, from the default and from its variants."""
    hint = get_type_hints(config)[setting]
    for base in variants(config, setting):
        for value in others(hint, getattr(base, setting)):
            try:
                yield base, replace(base, **{setting: value})
            except ConfigError:
                continue  # the two do not go together


def variants(config, setting):
    """The default and every choice of a name; then the same with another number at 0.

    A setting may matter only under one choice of another, as a solver's under the solver's name,
    or only where another is 0, as the smaller of two floors.
    """
    named = [
        config(**{name: choice})
        for name, hint in get_type_hints(config).items()
        for choice in (get_args(hint) if get_origin(hint) is Literal else ())
    ]
    plain = [*named, config()]
    yield from plain
    for base in plain:
        for field in fields(base):
            if field.name != setting and isinstance(getattr(base, field.name), float):
                try:
                    yield replace(base, **{field.name: 0.0})
                except ConfigError:
                    continue  # it cannot be 0


def others(hint, value):
    """Other values of a setting of this kind."""
    if get_origin(hint) is Literal:
        return [choice for choice in get_args(hint) if choice != value]
    if get_origin(hint) is tuple:
        choices = get_args(get_args(hint)[0])
        return [tuple(choices), *((choice,) for choice in choices if (choice,) != value)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, float):
        return [value / 3]
    return [number for number in (7, 1, 0) if number != value]
