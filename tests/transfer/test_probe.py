"""The linear probe against the optimum of its own objective, found by another solver."""

import numpy as np
import pytest
from scipy.optimize import minimize

from expunge.errors import ConfigError
from expunge.transfer.probe import ProbeConfig, probe


def test_it_is_penalised_logistic_regression_on_scaled_features():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    train = rng.normal(size=(60, 4)) * [1, 3, 2, 0.5] + np.eye(3)[labels] @ (
        rng.normal(size=(3, 4)) * [1, 3, 2, 0.5]
    )
    other = train[rng.permutation(60)] + rng.normal(size=(60, 4)) * [1, 3, 2, 0.5]
    spread = np.sqrt(((train - train.mean(0)) ** 2).mean())
    inputs, others = (train - train.mean(0)) / spread, (other - train.mean(0)) / spread

    def objective(flat):
        weights, bias = flat[:12].reshape(4, 3), flat[12:]
        logits = inputs @ weights + bias
        loss = np.log(np.exp(logits).sum(1)) - logits[np.arange(60), labels]
        return loss.sum() * 0.5 + 0.5 * (weights**2).sum()

    found = minimize(objective, np.zeros(15), method="BFGS", options={"gtol": 1e-8}).x
    expected = (others @ found[:12].reshape(4, 3) + found[12:]).argmax(1)
    (given,) = probe(train, labels, [other], ProbeConfig(strength=0.5))
    assert (given == expected).mean() > 0.98
    assert set(given.tolist()) == {0, 1, 2}


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="strength"):
        ProbeConfig(strength=0)
    with pytest.raises(ConfigError, match="iterations"):
        ProbeConfig(iterations=0)


def test_a_feature_that_is_constant_up_to_rounding_changes_little():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    train = np.eye(3)[labels] + rng.normal(size=(60, 3))
    other = rng.normal(size=(500, 3))
    noise = [1 + 1e-7 * rng.normal(size=(len(each), 1)) for each in (train, other)]
    (plain,) = probe(train, labels, [other], ProbeConfig())
    wide = [np.hstack([each, more]) for each, more in zip((train, other), noise, strict=True)]
    (same,) = probe(wide[0], labels, [wide[1]], ProbeConfig())
    assert (plain == same).mean() > 0.97
    (constant,) = probe(np.ones((60, 3)), labels, [other], ProbeConfig())
    assert len(set(constant.tolist())) == 1
