"""The description of a network: everything except its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from expunge.errors import ConfigError
from expunge.models.networks import is_own
from expunge.settings import InputKind, check_choice, check_range
from expunge.tasks import get_task

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue, for images in [0, 1]."""

Stem = Literal["cifar", "imagenet"]
"""The first layers: full resolution for small images, or immediate reduction for large ones."""


_MOST_THREADS = 4096


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """An architecture and its sizes.

    Raises:
        ConfigError: a size is out of range or missing, or mean and std do not match the inputs.
    """

    name: str
    """A name in `MODELS`; `hf:` and a folder or hub id; `timm:` and a name; or
    `package.module:callable` for a custom network."""
    num_classes: int
    """Logits per sample."""
    input_kind: InputKind = "images"
    """The kind of inputs."""
    in_channels: int = 3
    """Channels of an image."""
    image_size: tuple[int, int] | None = None
    """Height and width of an image, for networks from adapters whose weights depend on it. None: as
    in the network's own configuration."""
    features: int | None = None
    """Length of a vector; required for vectors, and only for them."""
    vocabulary: int | None = None
    """Number of token ids, from 0 on, that the network must support; for tokens only."""
    stem: Stem = "cifar"
    """`cifar` for images of about 32 pixels, `imagenet` for images of about 224."""
    width: float = 1.0
    """Factor on the number of channels, or units, of every hidden layer."""
    mean: tuple[float, ...] | None = None
    """Subtracted by the first layer from each channel of images in [0, 1], or from each feature of
    vectors. None: nothing is subtracted."""
    std: tuple[float, ...] | None = None
    """Divides each channel or feature in the first layer. Required with `mean`, and only then."""
    task: str | None = None
    """What a custom network is for; None: classification."""

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
                f"features is the length of vectors, and only of them: got {self.features} "
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
        """The number of channels or features to normalise; 0 for tokens."""
        if self.input_kind == "images":
            return self.in_channels
        return self.features or 0


class Form(Protocol):
    """What a network must know about its inputs; `Inputs` and `Facts` provide it."""

    @property
    def kind(self) -> InputKind:
        """Images, vectors or tokens."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: `(C, H, W)` for images, `(D,)` for vectors, `(L,)` for padded tokens."""
        ...

    @property
    def vocabulary(self) -> int | None:
        """One more than the largest token id; None for images and vectors."""
        ...


def spec_for(
    name: str,
    inputs: Form,
    num_classes: int,
    *,
    stem: Stem = "cifar",
    width: float = 1.0,
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    task: str | None = None,
) -> ModelSpec:
    """The spec of the network called `name` for `inputs`.

    `statistics` are the mean and the standard deviation for its first layer, `task` is that of a
    custom network.

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
        task=task,
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
    """CPU threads for training; default: from the network's registry entry."""
    normalise: Literal["imagenet", "data", "off"] | None = None
    """Normalisation before the first layer: that of ImageNet, that of the training data, or nothing
    (`off`). Default: `data`; for a network of your own, `off`."""
    mean: tuple[float, ...] | None = None
    """Instead of `normalise`: subtracted from each channel of images in [0, 1], or each feature."""
    std: tuple[float, ...] | None = None
    """With `mean`: divides each channel or feature."""
    task: str | None = None
    """What a network of your own is for: `classify`, the default, or `generate`."""

    def __post_init__(self) -> None:
        check_choice("stem", self.stem, get_args(Stem))
        check_range("width", self.width, 0, None)
        if self.threads is not None:
            check_range("threads", self.threads, 1, _MOST_THREADS)
        if self.normalise is not None:
            check_choice("normalise", self.normalise, ("imagenet", "data", "off"))
        if (self.mean is None) != (self.std is None):
            raise ConfigError("mean and std must be given together, got one of them")
        if self.mean is not None and self.normalise is not None:
            raise ConfigError("give either mean and std, or normalise, not both")
        if self.task is not None:
            get_task(self.task)
            if not is_own(self.name):
                raise ConfigError(
                    f"task is for networks of your own, package.module:callable: leave it out for "
                    f"{self.name!r}"
                )

    @property
    def normalisation(self) -> dict[str, list[float]] | Literal["data", "off"] | None:
        """What `normalise`, `mean` and `std` ask for; None for the network's default."""
        if self.normalise == "imagenet":
            return {"mean": list(IMAGENET[0]), "std": list(IMAGENET[1])}
        if self.mean is not None and self.std is not None:
            return {"mean": list(self.mean), "std": list(self.std)}
        return self.normalise


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, rounded, at least one.

    >>> scaled(64, 0.25)
    16
    """
    return max(1, round(channels * width))
