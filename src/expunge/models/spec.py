"""What a network is, as a value: everything but its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from expunge.errors import ConfigError
from expunge.settings import check_choice, check_range

Stem = Literal["cifar", "imagenet"]
"""How a network begins: for small images at full resolution, or for large ones reduced at once."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """An architecture and its sizes.

    Raises:
        ConfigError: a size is out of range, or mean and std do not fit the channels.
    """

    name: str
    """A name in `MODELS`; `hf:` and a folder or hub id; `timm:` and a name; or
    `package.module:callable` for a network of one's own."""
    num_classes: int
    """Logits per image."""
    in_channels: int = 3
    """Channels of an image."""
    image_size: tuple[int, int] | None = None
    """Height and width of an image, for adapters to networks whose weights depend on it. None: as
    the network's own configuration has it."""
    stem: Stem = "cifar"
    """`cifar` for images of about 32 pixels, `imagenet` for images of about 224."""
    width: float = 1.0
    """Factor on the number of channels of every hidden layer."""
    mean: tuple[float, ...] | None = None
    """What the first layer subtracts from each channel; images are in [0, 1]. None: nothing."""
    std: tuple[float, ...] | None = None
    """What the first layer divides each channel by. Given with mean or not at all."""

    def __post_init__(self) -> None:
        check_range("num_classes", self.num_classes, 2, None)
        check_range("in_channels", self.in_channels, 1, None)
        if self.image_size is not None:
            if len(self.image_size) != 2:
                raise ConfigError(f"image_size must be height and width, got {self.image_size}")
            for side in self.image_size:
                check_range("image_size", side, 1, None)
        check_choice("stem", self.stem, get_args(Stem))
        check_range("width", self.width, 0, None)
        if self.width == 0:
            raise ConfigError("width must be more than 0, got 0")
        if (self.mean is None) != (self.std is None):
            raise ConfigError("mean and std must be given together, got one of them")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is None:
                continue
            if len(values) != self.in_channels:
                raise ConfigError(
                    f"{name} must have one value for each of {self.in_channels} channels, "
                    f"got {len(values)}"
                )
            for value in values:
                check_range(name, value, None, None)
        if self.std is not None and min(self.std) <= 0:
            raise ConfigError(f"std must be more than 0, got {self.std}")


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Which network to build; classes and the shape of inputs come from the data."""

    name: str
    """`resnet18`, ..., `hf:FOLDER`, `timm:NAME` or `package.module:callable`."""
    stem: str = "cifar"
    """`cifar` for small images, `imagenet` for large ones."""
    width: float = 1.0
    """Multiplies the number of channels."""
    threads: int | None = None
    """Threads of the processor to train with; otherwise as the network's entry has it."""

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_range("threads", self.threads, 1, None)


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, rounded, at least one.

    >>> scaled(64, 0.25)
    16
    """
    return max(1, round(channels * width))
