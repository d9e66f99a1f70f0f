"""Near copies against a brute force over pairs of images."""

import math

import numpy as np
import pytest

from expunge.errors import DataError
from expunge.metrics.evidence import Evidence
from expunge.metrics.metric import measure
from expunge.metrics.near_copies import NEAR_COPIES, Copies, nearest


def test_the_distance_is_to_the_nearest_of_all():
    rng = np.random.default_rng(0)
    images, others = (rng.uniform(size=(n, 2, 3, 3)).astype(np.float32) for n in (5, 7))
    by_hand = [
        min(
            math.sqrt(
                sum((float(a) - float(b)) ** 2 for a, b in zip(x.flat, y.flat, strict=True)) / 18
            )
            for y in others
        )
        for x in images
    ]
    found = nearest(images, others)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(by_hand, rel=1e-6)
    assert nearest(others[:3], others).tolist() == [0, 0, 0]


def test_the_threshold_leaves_a_hundredth_of_held_out_images():
    held_out = np.arange(1, 202, dtype=np.float32)  # the hundredth is at 3
    generated = np.array([0, 2.9, 3, 3.1, 50, 1, 2, 7], dtype=np.float32)
    found = measure(NEAR_COPIES, Evidence(copies=Copies(generated, held_out)))
    assert found.value == pytest.approx(100 * 4 / 8)


def test_nothing_to_compare_is_refused():
    with pytest.raises(DataError, match="got 0 and 3"):
        Copies(np.zeros(0, np.float32), np.zeros(3, np.float32))
