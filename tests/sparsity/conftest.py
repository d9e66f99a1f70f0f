import pytest
import torch
from torch import nn


@pytest.fixture
def tiny():
    """A float64 network of 1x8x8 images with 75 convolution weights, 24 linear ones, a batch norm
    and a dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 3, 3, stride=2, bias=False),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Conv2d(3, 4, 2, stride=2),
            nn.Dropout(0.5),
            nn.AdaptiveAvgPool2d((2, 1)),
            nn.Flatten(),
            nn.Linear(8, 3),
        )
    return network.double()
