"""The Python face, where it has something to decide."""

import numpy as np
import pytest
import torch

import expunge
from expunge.errors import DataError
from tests.conftest import small_network


def test_test_labels_are_numbered_as_the_training_labels():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 8, 8), dtype=np.uint8)
    names = np.array(["ant", "bee", "cow"])[np.arange(30) % 3]
    split = expunge.split((images, names), forget=expunge.at_random(0.2, seed=0))
    model = small_network(0)
    later = names != "ant"
    found = expunge.evaluate(model, split, (images[later], names[later]))
    pixels = torch.from_numpy(images[later][:, None]).float() / 255
    with torch.no_grad():
        predicted = np.array(["ant", "bee", "cow"])[model.eval()(pixels).argmax(1).numpy()]
    assert found.metrics["ta"] == 100 * (predicted == names[later]).mean()


def test_arrays_are_no_name_of_a_dataset():
    with pytest.raises(DataError, match=r"got tuple: pass arrays, tensors and datasets directly"):
        expunge.load((np.zeros((4, 1, 8, 8)), np.arange(4)))
