"""What a network is, as a value: everything but its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from expunge.errors import ConfigError
from expunge.settings import InputKind, check_choice, check_range

Stem = Literal["cifar", "imagenet"]
"""How a network begins: for small images at full resolution, or for large ones reduced at once."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """An architecture and its sizes.

    Raises:
        ConfigError: a size is out of range or missing, or mean and std do not fit the inputs.
    """

    name: str
    """A name in `MODELS`; `hf:` and a folder or hub id; `timm:` and a name; or
    `package.module:callable` for a network of one's own."""
    num_classes: int
    """Logits per sample."""
    input_kind: InputKind = "images"
    """What the network is given."""
    in_channels: int = 3
    """Channels of an image."""
    image_size: tuple[int, int] | None = None
    """Height and width of an image, for adapters to networks whose weights depend on it. None: as
    the network's own configuration has it."""
    features: int | None = None
    """Numbers in a vector; of vectors only, which need it."""
    vocabulary: int | None = None
    """How many token ids the network has to know, from 0 on; of tokens only."""
    stem: Stem = "cifar"
    """`cifar` for images of about 32 pixels, `imagenet` for images of about 224."""
    width: float = 1.0
    """Factor on the number of channels, or units, of every hidden layer."""
    mean: tuple[float, ...] | None = None
    """What the first layer subtracts from each channel of images in [0, 1], or from each feature of
    vectors. None: nothing."""
    std: tuple[float, ...] | None = None
    """What the first layer divides each by. Given with mean or not at all."""

    def __post_init__(self) -> None:
        check_range("num_classes", self.num_classes, 2, None)
        check_range("in_channels", self.in_channels, 1, None)
        if self.image_size is not None:
            if len(self.image_size) != 2:
                raise ConfigError(f"image_size must be height and width, got {self.image_size}")
            for side in self.image_size:
                check_range("image_size", side, 1, None)
        check_choice("input_kind", self.input_kind, get_args(InputKind))
        if (self.features is None) == (self.input_kind == "vectors"):
            raise ConfigError(
                f"features is the length of vectors, and of them only: got {self.features} "
                f"for {self.input_kind}"
            )
        for size in ("features", "vocabulary"):
            if (value := getattr(self, size)) is not None:
                check_range(size, value, 1, None)
        check_choice("stem", self.stem, get_args(Stem))
        check_range("width", self.width, 0, None)
        if self.width == 0:
            raise ConfigError("width must be more than 0, got 0")
        self._check_normalisation()

    def _check_normalisation(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise ConfigError("mean and std must be given together, got one of them")
        if self.mean is not None and self.input_kind == "tokens":
            raise ConfigError("tokens are not normalised: leave mean and std out")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is None:
                continue
            if len(values) != self.channels:
                things = "features" if self.input_kind == "vectors" else "channels"
                raise ConfigError(
                    f"{name} must have one value for each of {self.channels} {things}, "
                    f"got {len(values)}"
                )
            for value in values:
                check_range(name, value, None, None)
        if self.std is not None and min(self.std) <= 0:
            raise ConfigError(f"std must be more than 0, got {self.std}")

    @property
    def channels(self) -> int:
        """How many numbers the normalisation has of each kind: none of tokens."""
        if self.input_kind == "images":
            return self.in_channels
        return self.features or 0


class Form(Protocol):
    """What a network has to know of its inputs; `Inputs` and `Facts` say it."""

    @property
    def kind(self) -> InputKind:
        """Images, vectors or tokens."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: `(C, H, W)` of an image, `(D,)` of a vector, `(L,)` of padded tokens."""
        ...

    @property
    def vocabulary(self) -> int | None:
        """One more than the largest token id; None of images and vectors."""
        ...


def spec_for(
    name: str,
    inputs: Form,
    num_classes: int,
    *,
    stem: Stem = "cifar",
    width: float = 1.0,
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> ModelSpec:
    """The network called `name`, as `inputs` need it.

    `statistics` are the mean and the standard deviation that its first layer normalises by.

    Raises:
        ConfigError: a size is out of range.
    """
    mean, std = statistics or (None, None)
    shape, images = inputs.shape, inputs.kind == "images"
    return ModelSpec(
        name=name,
        num_classes=num_classes,
        input_kind=inputs.kind,
        in_channels=shape[0] if images else 3,
        image_size=(shape[1], shape[2]) if images else None,
        features=shape[0] if inputs.kind == "vectors" else None,
        vocabulary=inputs.vocabulary,
        stem=stem,
        width=width,
        mean=mean,
        std=std,
    )


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
