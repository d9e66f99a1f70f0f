"""Residual networks (He et al. 2016, "Deep Residual Learning for Image Recognition").

Layers have the same names as in public checkpoints: `conv1`, `layer1.0.conv1`, `fc`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from expunge.errors import ModelError
from expunge.models.initialise import initialise
from expunge.models.spec import Stem, scaled

_Block = Callable[[int, int, int], nn.Module]
"""From input channels, output channels and stride to a block."""


def resnet18(
    num_classes: int, *, in_channels: int = 3, stem: Stem = "cifar", width: float = 1.0
) -> nn.Sequential:
    """ResNet-18: four stages of two basic blocks."""
    channels = [scaled(size, width) for size in (64, 128, 256, 512)]
    return _resnet(num_classes, in_channels, stem, channels[0], channels, [2, 2, 2, 2], _BasicBlock)


def resnet50(
    num_classes: int, *, in_channels: int = 3, stem: Stem = "cifar", width: float = 1.0
) -> nn.Sequential:
    """ResNet-50: four stages of 3, 4, 6 and 3 bottlenecks."""
    inner = [scaled(size, width) for size in (64, 128, 256, 512)]
    channels = [_Bottleneck.expansion * size for size in inner]
    return _resnet(num_classes, in_channels, stem, inner[0], channels, [3, 4, 6, 3], _Bottleneck)


def resnet20s(
    num_classes: int, *, in_channels: int = 3, stem: Stem = "cifar", width: float = 1.0
) -> nn.Sequential:
    """The CIFAR ResNet-20 (section 4.2): three stages of three blocks, shortcuts of option A.

    Raises:
        ModelError: the stem is not `cifar`.
    """
    return _small_resnet("resnet20s", 3, num_classes, in_channels, stem, width)


def resnet8(
    num_classes: int, *, in_channels: int = 3, stem: Stem = "cifar", width: float = 1.0
) -> nn.Sequential:
    """The smallest CIFAR ResNet: like `resnet20s`, with one block per stage.

    Raises:
        ModelError: the stem is not `cifar`.
    """
    return _small_resnet("resnet8", 1, num_classes, in_channels, stem, width)


def _small_resnet(
    name: str, blocks: int, num_classes: int, in_channels: int, stem: Stem, width: float
) -> nn.Sequential:
    if stem != "cifar":
        raise ModelError(f"{name} is made for small images: expected stem 'cifar', got {stem!r}")
    channels = [scaled(size, width) for size in (16, 32, 64)]
    return _resnet(
        num_classes, in_channels, stem, channels[0], channels, [blocks] * 3, _PaddedBlock
    )


def _resnet(
    num_classes: int,
    in_channels: int,
    stem: Stem,
    stem_channels: int,
    channels: Sequence[int],
    blocks: Sequence[int],
    block: _Block,
) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if stem == "cifar":
        layers["conv1"] = nn.Conv2d(in_channels, stem_channels, 3, padding=1, bias=False)
    else:
        layers["conv1"] = nn.Conv2d(in_channels, stem_channels, 7, 2, padding=3, bias=False)
    layers["bn1"] = nn.BatchNorm2d(stem_channels)
    layers["relu"] = nn.ReLU(inplace=True)
    if stem == "imagenet":
        layers["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
    before = stem_channels
    for stage, (after, count) in enumerate(zip(channels, blocks, strict=True), start=1):
        stride = 1 if stage == 1 else 2
        layers[f"layer{stage}"] = nn.Sequential(
            block(before, after, stride), *(block(after, after, 1) for _ in range(count - 1))
        )
        before = after
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(before, num_classes)
    network = nn.Sequential(layers)
    initialise(network)
    return network


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = self._shortcut(before, after, stride)

    def _shortcut(self, before: int, after: int, stride: int) -> nn.Module:
        return _projection(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.downsample(x))  # type: ignore[no-any-return]


class _PaddedBlock(_BasicBlock):
    """A basic block whose shortcut has no parameters."""

    def _shortcut(self, before: int, after: int, stride: int) -> nn.Module:
        if stride == 1 and before == after:
            return nn.Identity()
        return _PadChannels(after - before, stride)


class _Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut; the 3x3 one has the stride."""

    expansion = 4

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        inner = after // self.expansion
        self.conv1 = nn.Conv2d(before, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + self.downsample(x))  # type: ignore[no-any-return]


def _projection(before: int, after: int, stride: int) -> nn.Module:
    """Option B: a 1x1 convolution where the shape changes."""
    if stride == 1 and before == after:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class _PadChannels(nn.Module):
    """Option A: every `stride`-th pixel, with zero channels on both sides."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra = extra
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        below = self.extra // 2
        return F.pad(
            x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, below, self.extra - below)
        )
