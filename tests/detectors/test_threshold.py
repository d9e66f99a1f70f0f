import numpy as np
import pytest

from expunge.detectors.threshold import threshold
from expunge.detectors.trust import Trust
from expunge.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("count", "share", "above"),
    [(50, 0.05, 1), (19, 0.05, 0), (99, 0.01, 0), (99, 0.1, 9), (3, 0.5, 1)],
)
def test_it_is_the_score_that_so_many_clean_ones_exceed(count, share, above):
    scores = np.random.default_rng(0).permutation(count).astype(float)
    limit = threshold(scores, share)
    assert limit in scores
    assert (scores > limit).sum() == above
    # Of M + 1 exchangeable samples, `above` + 1 exceed it: one more would be too many.
    assert (above + 1) / (count + 1) <= share + 1e-9 < (above + 2) / (count + 1)


def test_clean_samples_exceed_it_as_often_as_was_aimed_at():
    """Over 4,000 draws of 30 clean scores: the mean rate of further ones is 3 of 31."""
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(4000):
        clean = rng.exponential(size=30)
        rates.append(np.exp(-threshold(clean, 0.1)))  # the share of exponentials above it
    assert abs(np.mean(rates) - 3 / 31) < 4 * np.std(rates) / np.sqrt(4000)


def test_too_few_clean_samples_are_refused():
    message = "a false positive rate of 0.05 needs the scores of at least 19 clean samples, got 18"
    with pytest.raises(DataError, match=message):
        threshold(np.arange(18.0), 0.05)
    with pytest.raises(DataError, match="at least 1 clean samples, got 0"):
        threshold(np.arange(0.0), 0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"false_positives": 0.0}, "false_positives must be between 0 and 1, both excluded"),
        ({"false_positives": 1.0}, "false_positives must be between 0 and 1, both excluded"),
        ({"false_positives": float("nan")}, "false_positives must be a finite number"),
        ({"clean": 1}, "clean must be a finite number in 2"),
        ({"clean": 36}, "0.05 needs at least 38 clean samples, half of which .* got 36"),
        ({"false_positives": 0.01}, "0.01 needs at least 198 clean samples"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_any_work(settings, message):
    with pytest.raises(ConfigError, match=message):
        Trust(**settings)


def test_the_fewest_clean_samples_are_enough():
    assert Trust(clean=38).clean == 38
    assert Trust(clean=198, false_positives=0.01).clean == 198
