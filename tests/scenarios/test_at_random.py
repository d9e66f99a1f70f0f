import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import at_random, make_split


@given(n=st.integers(2, 80), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 5))
def test_the_fraction_is_met_exactly(noise_samples, n, fraction, seed):
    samples = noise_samples([0] * n)
    forget, classes = at_random(fraction, seed).select(samples)
    assert len(forget) == round(fraction * n)
    assert forget.tolist() == sorted(set(forget.tolist()))
    assert classes == ()
    assert set(forget.tolist()) <= set(range(n))


def test_the_seed_chooses_and_the_global_generator_does_not(noise_samples):
    samples = noise_samples([0] * 50)
    state = torch.get_rng_state()
    one = at_random(0.2, seed=0).select(samples)[0]
    torch.manual_seed(123)
    assert np.array_equal(one, at_random(0.2, seed=0).select(samples)[0])
    assert not np.array_equal(one, at_random(0.2, seed=1).select(samples)[0])
    torch.set_rng_state(state)
    at_random(0.2).select(samples)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_sample_is_as_likely(noise_samples):
    samples = noise_samples([0] * 20)
    counts = torch.zeros(20)
    for seed in range(600):
        counts[at_random(0.25, seed).select(samples)[0]] += 1
    torch.testing.assert_close(counts / 600, torch.full((20,), 0.25), atol=0.08, rtol=0)


def test_it_is_named_after_its_fraction(noise_samples):
    split = make_split(noise_samples([0] * 20), at_random(0.1, seed=3))
    assert split.scenario == "random:0.1"
    assert split.classes == ()


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "0.1"])
def test_fractions_out_of_range_are_refused(fraction):
    with pytest.raises(ConfigError, match="the fraction to forget must be"):
        at_random(fraction)


def test_a_fraction_of_less_than_a_sample_leaves_nothing_to_forget(noise_samples):
    with pytest.raises(ForgetError, match=r"the forget set of 'random:0.01' is empty"):
        make_split(noise_samples([0] * 10), at_random(0.01))
