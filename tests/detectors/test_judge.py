import numpy as np
import pytest

from expunge.detectors.judge import judge
from expunge.errors import DataError


def test_it_counts_what_is_found_and_who_is_accused():
    """By hand: of three poisoned samples, two are suspected, and one of four others is."""
    scores = np.array([5.0, 4.0, 1.0, 4.5, 0.5, 1.0, 0.1])
    poisoned = np.array([1, 1, 1, 0, 0, 0, 0], dtype=bool)
    found = judge(scores, scores > 3, poisoned)
    assert (found.poisoned, found.clean, found.found, found.accused) == (3, 4, 2, 1)
    assert found.recall == pytest.approx(200 / 3)
    assert found.precision == pytest.approx(200 / 3)
    assert found.false_positives == 25
    # Pairs: 5 beats four of four, 4 beats three, 1 beats two and ties with one.
    assert found.auroc == pytest.approx(100 * (4 + 3 + 2.5) / 12)


def test_without_suspects_there_is_no_precision():
    found = judge(np.arange(4.0), np.zeros(4, dtype=bool), np.array([True, False, False, False]))
    assert (found.recall, found.precision, found.auroc) == (0, None, 0)


@pytest.mark.parametrize("poisoned", [True, False])
def test_there_must_be_both(poisoned):
    with pytest.raises(DataError, match=r"some samples are poisoned and some are not, got \d of 4"):
        judge(np.arange(4.0), np.zeros(4, dtype=bool), np.full(4, poisoned))
