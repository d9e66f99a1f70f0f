import dataclasses

import pytest

from expunge.errors import ConfigError
from expunge.models.spec import ModelSpec


def test_round_trips_through_a_dictionary():
    spec = ModelSpec(name="resnet18", num_classes=7, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0))
    assert ModelSpec(**dataclasses.asdict(spec)) == spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, r"num_classes must be a finite number in 2\.\., got 1"),
        ({"in_channels": 0}, "in_channels must be"),
        ({"stem": "vit"}, "stem must be one of cifar, imagenet, got 'vit'"),
        ({"width": 0}, "width must be more than 0"),
        ({"width": float("nan")}, "width must be a finite number"),
        ({"mean": (0.5,) * 3}, "mean and std must be given together"),
        ({"mean": (0.5,), "std": (1.0,)}, "mean must have one value for each of 3 channels, got 1"),
        ({"mean": (0.5,) * 3, "std": (1.0, 0.0, 1.0)}, "std must be more than 0"),
        ({"mean": (float("inf"),) * 3, "std": (1.0,) * 3}, "mean must be a finite number"),
    ],
)
def test_refuses_what_cannot_be(changes, message):
    with pytest.raises(ConfigError, match=message):
        ModelSpec(**{"name": "resnet18", "num_classes": 10, **changes})


def test_an_image_size_has_height_and_width():
    assert ModelSpec(name="hf:x", num_classes=2, image_size=(8, 6)).image_size == (8, 6)
    with pytest.raises(ConfigError, match=r"image_size must be height and width, got \(8,\)"):
        ModelSpec(name="hf:x", num_classes=2, image_size=(8,))
    with pytest.raises(ConfigError, match="image_size must be a finite number in 1"):
        ModelSpec(name="hf:x", num_classes=2, image_size=(8, 0))
