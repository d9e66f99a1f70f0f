"""Float64 from the pixels to the loss, for tests against equations."""

import torch
from tests.conftest import small_network

from expunge.training.batches import shuffled_batches


def double(seed=0):
    return small_network(seed).double()


def pixels_of(samples):
    """All images, as networks are given them: in float32 before they are in float64."""
    return (next(samples.inputs.batches([torch.arange(len(samples))])).float() / 255).double()


def whole_passes(index, batch_size, generator, passes):
    """The batches of so many passes over `index`."""
    return [
        batch for _ in range(passes) for batch in shuffled_batches(index, batch_size, generator)
    ]


def assert_equal(ours, oracle):
    for (name, x), y in zip(ours.state_dict().items(), oracle.state_dict().values(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-12, msg=name)
