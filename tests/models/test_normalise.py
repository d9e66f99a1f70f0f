import torch
from torch.testing import assert_close

from expunge.models.normalise import Normalise


def test_each_channel_has_its_own_mean_and_std():
    images = torch.rand(2, 3, 4, 5)
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    expected = torch.stack(
        [(images[:, c].double() - mean[c]) / std[c] for c in range(3)], dim=1
    ).float()
    assert_close(Normalise(mean, std)(images), expected)


def test_buffers_are_saved_and_not_trained():
    layer = Normalise((0.5,), (0.25,))
    assert {name: value.tolist() for name, value in layer.state_dict().items()} == {
        "mean": [0.5],
        "std": [0.25],
    }
    assert list(layer.parameters()) == []


def test_channels_last_images_stay_channels_last():
    images = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    out = Normalise((0.0,) * 3, (1.0,) * 3)(images)
    assert out.is_contiguous(memory_format=torch.channels_last)
