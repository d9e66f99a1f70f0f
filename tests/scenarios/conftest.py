import numpy as np
import pytest

from expunge.data.arrays import as_samples


@pytest.fixture(scope="session")
def noise_samples():
    """A function: samples of random images with these labels."""

    def make(labels, class_names=None, ids=None):
        images = np.random.default_rng(0).integers(0, 256, (len(labels), 1, 2, 2), dtype=np.uint8)
        return as_samples((images, labels), class_names=class_names, ids=ids)

    return make
