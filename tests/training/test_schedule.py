import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.settings import Training
from expunge.training.schedule import learning_rate


def test_milestones_are_the_papers():
    recipe = Training()
    assert learning_rate(recipe, 90 * 176 + 175, 176) == 0.1
    assert learning_rate(recipe, 91 * 176, 176) == pytest.approx(0.01)
    assert learning_rate(recipe, 136 * 176, 176) == pytest.approx(0.001)


def test_cosine_is_half_a_cosine():
    recipe = Training(schedule="cosine", epochs=10, lr=0.2)
    for step in range(40):
        expected = 0.2 * (1 + math.cos(math.pi * step / 40)) / 2
        assert learning_rate(recipe, step, 4) == pytest.approx(expected)


def test_one_cycle_is_a_triangle():
    recipe = Training(schedule="one_cycle", epochs=4, warmup_epochs=1, lr=1.0)
    rates = [learning_rate(recipe, step, 2) for step in range(8)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


@given(
    st.sampled_from(["milestones", "cosine", "one_cycle", "constant"]),
    st.integers(1, 30),
    st.integers(1, 9),
    st.floats(0, 0.9),
)
def test_rates_stay_between_zero_and_the_peak(schedule, epochs, steps, warmup):
    recipe = Training(schedule=schedule, epochs=epochs, warmup_epochs=warmup * epochs, lr=0.3)
    rates = [learning_rate(recipe, step, steps) for step in range(epochs * steps)]
    assert all(0 < rate <= 0.3 for rate in rates)
