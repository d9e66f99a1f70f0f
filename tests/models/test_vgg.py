import pytest
import torch
from torch import nn

from expunge.models.vgg import vgg16_bn


@pytest.mark.parametrize(
    ("stem", "classes", "expected"),
    [
        ("cifar", 10, 14_728_266),  # the CIFAR literature's (kuangliu/pytorch-cifar)
        ("imagenet", 1000, 138_365_992),  # torchvision's model zoo documents it
    ],
)
def test_parameter_counts_are_the_published_ones(stem, classes, expected):
    with torch.device("meta"):
        network = vgg16_bn(classes, stem=stem)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 13


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_images_give_logits(stem):
    network = vgg16_bn(5, in_channels=1, stem=stem, width=0.02).eval()
    assert network(torch.rand(2, 1, 32, 40)).shape == (2, 5)
