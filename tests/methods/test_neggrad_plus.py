"""NegGrad+ against its equation, in float64."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.methods.exact import assert_equal, double, pixels_of, whole_passes
from tests.oracles import streams as oracle
from tests.training.shared_work import some_mask

from expunge.errors import ConfigError
from expunge.methods.neggrad_plus import NegGradPlusConfig, neggrad_plus
from expunge.scenarios import at_random, make_split

CONFIG = NegGradPlusConfig(
    alpha=0.7, epochs=3, lr=0.02, momentum=0.8, weight_decay=1e-3, batch_size=8
)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_it_is_the_equation(samples, exact, share, masked):
    """The forget set is gone through as often as the retained samples need, or in part."""
    split = make_split(samples, at_random(share, seed=1))
    model = double()
    mask = some_mask(model) if masked else None
    for name, kept in (mask or {}).items():
        model.get_parameter(name).data.mul_(kept)
    ours = neggrad_plus(model, split, CONFIG, replace(exact, mask=mask))
    retain = whole_passes(split.retain, 8, exact.generator("order"), 3)
    forget = whole_passes(split.forget, 8, exact.generator("order:forget"), 40)
    expected = copy.deepcopy(model)
    oracle.neggrad_plus(
        expected,
        pixels_of(samples),
        samples.labels,
        list(zip(retain, forget, strict=False)),
        0.7,
        0.02,
        0.8,
        1e-3,
        mask,
    )
    assert_equal(ours, expected)


def test_both_sets_matter(samples, exact):
    split = make_split(samples, at_random(0.3, seed=1))
    model = double()
    plain = neggrad_plus(model, split, CONFIG, exact)
    for index in (split.forget, split.retain):
        labels = samples.labels.clone()
        labels[index] = (labels[index] + 1) % 3
        other = copy.copy(split)
        object.__setattr__(other, "train", replace(samples, labels=labels))
        assert not torch.equal(
            plain.conv.weight, neggrad_plus(model, other, CONFIG, exact).conv.weight
        )


def test_a_weight_outside_0_to_1_is_refused():
    with pytest.raises(ConfigError, match=r"alpha must be a finite number in 0\.\.1, got 1.2"):
        NegGradPlusConfig(alpha=1.2)
