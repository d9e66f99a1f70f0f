import numpy as np
import pytest

from expunge.data.arrays import as_samples
from expunge.data.statistics import input_statistics


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_they_are_those_of_all_pixels(noise, dtype):
    array = noise(1100, (3, 4, 5))
    array[:, 1] //= 4
    given = array if dtype == np.uint8 else array.astype(np.float32) / 255
    mean, std = input_statistics(as_samples((given, np.zeros(1100, int))))
    seen = given.astype(np.float64) / (255 if dtype == np.uint8 else 1)
    np.testing.assert_allclose(mean, seen.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, seen.std((0, 2, 3)), rtol=1e-9)


@pytest.mark.parametrize("value", [0, 77])
def test_a_constant_channel_has_deviation_one(value):
    images = np.full((4, 1, 3, 3), value, np.uint8)
    mean, std = input_statistics(as_samples((images, [0, 1, 0, 1])))
    assert mean == pytest.approx((value / 255,))
    assert std == (1.0,)
