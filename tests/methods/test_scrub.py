"""SCRUB against its equations, in float64."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.methods.exact import assert_equal, double, pixels_of, whole_passes
from tests.oracles import streams as oracle

from expunge.errors import ConfigError
from expunge.methods.scrub import ScrubConfig, scrub
from expunge.scenarios import at_random, make_split

CONFIG = ScrubConfig(
    alpha=0.7,
    gamma=0.4,
    temperature=2.0,
    max_epochs=2,
    epochs=4,
    lr=0.02,
    milestones=(1, 3),
    momentum=0.8,
    weight_decay=1e-3,
    batch_size=16,
    forget_batch_size=5,
)


@pytest.fixture
def split(samples):
    return make_split(samples, at_random(0.3, seed=1))


@pytest.mark.parametrize("max_epochs", [0, 2, 9])
def test_it_is_the_algorithm(samples, split, exact, max_epochs):
    model = double()
    # Any wiring to the wrong statistics shows: the teacher's are its own, and stay.
    model.norm.running_mean.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    ours = scrub(model, split, replace(CONFIG, max_epochs=max_epochs), exact)
    order, forget_order = exact.generator("order"), exact.generator("order:forget")
    passes = []
    for epoch, lr in enumerate((0.02, 0.002, 0.002, 0.0002)):
        if epoch < max_epochs:
            passes.append((True, lr, whole_passes(split.forget, 5, forget_order, 1)))
        passes.append((False, lr, whole_passes(split.retain, 16, order, 1)))
    expected = copy.deepcopy(model)
    oracle.scrub(expected, pixels_of(samples), samples.labels, passes, 0.7, 0.4, 2.0, 0.8, 1e-3)
    assert_equal(ours, expected)


@pytest.mark.parametrize("setting", ["alpha", "gamma", "max_epochs"])
def test_every_term_matters(split, exact, setting):
    model = double()
    with_it, without = (
        scrub(model, split, config, exact).conv.weight
        for config in (CONFIG, replace(CONFIG, **{setting: 0}))
    )
    assert not torch.equal(with_it, without)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ConfigError, match="temperature must be more than 0, got 0"):
        ScrubConfig(temperature=0)
