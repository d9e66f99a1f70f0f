import pytest

from expunge.errors import ConfigError
from expunge.settings import Training
from expunge.theory.bound import (
    check_plain_sgd,
    departures_from_theorem,
    steps_of,
    unlearning_error_bound,
)
from expunge.theory.paths import path_batches

PLAIN = {"momentum": 0.0, "weight_decay": 0.0, "schedule": "constant"}


def test_the_bound_is_the_equation():
    assert unlearning_error_bound(0.1, 30, 2.0, 5.0) == pytest.approx(0.1 * 0.1 * 30 * 2 * 5)
    with pytest.raises(ConfigError, match="sigma"):
        unlearning_error_bound(0.1, 30, 2.0, float("nan"))
    with pytest.raises(ConfigError, match="lr"):
        unlearning_error_bound(-0.1, 30, 2.0, 1.0)


@pytest.mark.parametrize(("samples", "batch_size"), [(60, 16), (61, 15), (5, 100), (64, 16)])
def test_steps_are_those_that_are_taken(context, samples, batch_size):
    recipe = Training(epochs=3, batch_size=batch_size)
    assert steps_of(recipe, samples) == len(path_batches(samples, recipe, context))


def test_plain_sgd_passes_and_the_default_recipe_does_not():
    check_plain_sgd(Training(**PLAIN))
    with pytest.raises(ConfigError, match=r"momentum 0\.9 instead of 0, weight_decay 0\.0005"):
        check_plain_sgd(Training())


@pytest.mark.parametrize(
    "setting",
    [
        {"optimizer": "adamw"},
        {"momentum": 0.5},
        {"weight_decay": 0.1},
        {"schedule": "cosine"},
        {"warmup_epochs": 1.0},
        {"label_smoothing": 0.1},
        {"crop_padding": 1},
        {"flip": True},
    ],
)
def test_every_departure_is_named(setting):
    (departure,) = departures_from_theorem(Training(**{**PLAIN, **setting}))
    assert departure.startswith(next(iter(setting)))
