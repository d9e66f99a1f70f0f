"""VGG-16 with batch norm (Simonyan & Zisserman 2015, configuration D)."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from expunge.models.initialise import initialise
from expunge.models.spec import Stem, scaled

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the 13 convolutions; each stage ends in a max-pool."""


def vgg16_bn(
    num_classes: int, *, in_channels: int = 3, stem: Stem = "cifar", width: float = 1.0
) -> nn.Sequential:
    """VGG-16-BN. Images must be at least 32 pixels high and wide.

    With stem `cifar`, a global pool and one linear layer follow the convolutions; with `imagenet`,
    the published 7x7 pool and three linear layers.
    """
    layers: list[nn.Module] = []
    before = in_channels
    for stage in _STAGES:
        for size in stage:
            after = scaled(size, width)
            layers += [
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
            before = after
        layers.append(nn.MaxPool2d(2))
    classifier: nn.Module = nn.Linear(before, num_classes)
    if stem == "imagenet":
        hidden = scaled(4096, width)
        classifier = nn.Sequential(
            nn.Linear(before * 7 * 7, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(hidden, num_classes),
        )
    network = nn.Sequential(
        OrderedDict[str, nn.Module](
            features=nn.Sequential(*layers),
            avgpool=nn.AdaptiveAvgPool2d(1 if stem == "cifar" else 7),
            flatten=nn.Flatten(),
            classifier=classifier,
        )
    )
    initialise(network)
    return network
