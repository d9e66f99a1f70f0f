"""Data and a network in float64: what the equations are compared in."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn


@dataclass(frozen=True)
class Float64Images:
    """Images `(N, C, H, W)` that are handed out as float64."""

    pixels: torch.Tensor

    @property
    def shape(self):
        return tuple(self.pixels.shape[1:])

    def __len__(self):
        return len(self.pixels)

    def to(self, device):
        return self

    def batches(self, index):
        for each in index:
            yield self.pixels[each]


@pytest.fixture
def exact(samples):
    """The small samples, in float64."""
    (pixels,) = samples.inputs.batches([torch.arange(len(samples))])
    return replace(samples, inputs=Float64Images(pixels.to(torch.float64) / 255))


class Tiny(nn.Module):
    """One of each kind of layer, with few enough weights for a dense Hessian."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.conv2 = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.head = nn.Linear(3, 3)

    def forward(self, images):
        hidden = torch.relu(self.norm(self.conv(images)))
        return self.head(torch.relu(self.conv2(hidden)).mean((2, 3)))


@pytest.fixture
def exact_network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Tiny().double()


@pytest.fixture
def mask(exact_network):
    """Every third weight of every convolution is pruned."""
    return {
        name: torch.arange(weight.numel()).view(weight.shape) % 3 != 0
        for name, weight in exact_network.named_parameters()
        if weight.ndim == 4
    }
