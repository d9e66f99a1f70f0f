"""Shared settings and their checks; nothing here imports PyTorch."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal, Protocol

from expunge.errors import ConfigError, shown

InputKind = Literal["images", "vectors", "tokens"]
"""A network's inputs: images, vectors of numbers, or sequences of token ids."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to training images; evaluation never augments."""

    crop_padding: int = 0
    """Zero pixels padded on every side before a random crop to the original size."""
    flip: bool = False
    """Flip horizontally with probability 0.5."""

    def __post_init__(self) -> None:
        if self.crop_padding < 0:
            raise ConfigError(f"crop_padding must be 0 or more, got {self.crop_padding}")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained: optimiser and schedule. Defaults are the paper's for CIFAR."""

    epochs: int = 182
    """Passes over the samples."""
    batch_size: int = 256
    """Samples per step, over all devices."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` for convolutional networks, `adamw` for transformers."""
    lr: float = 0.1
    """Peak learning rate."""
    momentum: float = 0.9
    """SGD momentum; AdamW's beta 1 (its beta 2 is 0.999)."""
    nesterov: bool = False
    """Use Nesterov momentum; SGD only."""
    weight_decay: float = 5e-4
    """SGD: L2 penalty on every parameter. AdamW: decoupled, times the learning rate."""
    schedule: Literal["milestones", "cosine", "one_cycle", "constant"] = "milestones"
    """How the learning rate changes over the steps."""
    milestones: tuple[int, ...] = (91, 136)
    """Epochs at which `milestones` multiplies the learning rate by 0.1."""
    warmup_epochs: float = 0.0
    """Epochs of linear warm-up from zero; for `one_cycle`, the rising part of the cycle."""
    label_smoothing: float = 0.0
    """Share of the target spread evenly over the classes."""
    crop_padding: int = 0
    """Augmentation: zero pixels padded around the image before a random crop."""
    flip: bool = False
    """Augmentation: random horizontal flip."""
    rewind_epoch: int = 8
    """The epoch whose weights are saved for pruners that rewind."""

    def __post_init__(self) -> None:
        check_range("epochs", self.epochs, 0, None)
        check_range("batch_size", self.batch_size, 1, None)
        check_range("lr", self.lr, 0, None)
        check_range("momentum", self.momentum, 0, 1)
        check_range("weight_decay", self.weight_decay, 0, None)
        check_range("warmup_epochs", self.warmup_epochs, 0, None)
        check_range("label_smoothing", self.label_smoothing, 0, 1)
        check_range("rewind_epoch", self.rewind_epoch, 0, None)
        check_range("crop_padding", self.crop_padding, 0, None)
        check_choice("schedule", self.schedule, ("milestones", "cosine", "one_cycle", "constant"))
        check_choice("optimizer", self.optimizer, ("sgd", "adamw"))
        if 0 < self.epochs <= self.warmup_epochs:
            raise ConfigError(
                f"warmup_epochs must be less than epochs, got {self.warmup_epochs:g} of "
                f"{self.epochs}: the learning rate would never come down"
            )
        if self.optimizer == "adamw" and (self.nesterov or self.momentum == 1):
            raise ConfigError(
                "adamw takes nesterov=false and a momentum (its beta 1) of less than 1, "
                f"got nesterov={self.nesterov} and momentum={self.momentum}"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"milestones must ascend, got {self.milestones}")

    @property
    def augmentation(self) -> Augmentation:
        """The random changes to training images."""
        return Augmentation(crop_padding=self.crop_padding, flip=self.flip)


class Progress(Protocol):
    """Progress callback; it must not change the computation that it reports on."""

    def __call__(self, task: str, done: int, total: int, images: int) -> None:
        """`done` of `total` steps of `task` are finished, over `images` images so far."""
        ...


def silent(task: str, done: int, total: int, images: int) -> None:
    """A progress callback that does nothing."""


class RecordEpoch(Protocol):
    """Callback for the course of training; it must not change the computation that it records."""

    def __call__(self, task: str, epoch: int, loss: float, lr: float) -> None:
        """Epoch 1, 2, ... of `task` is done: its mean loss, and the rate of its last step."""
        ...


def unrecorded(task: str, epoch: int, loss: float, lr: float) -> None:
    """A callback for the course of training that does nothing."""


def check_augmentation(augmentation: Augmentation, kind: InputKind) -> None:
    """Refuse augmentation of inputs that are not images.

    Raises:
        ConfigError: augmentation is on and the inputs are not images.
    """
    if kind != "images" and augmentation != Augmentation():
        raise ConfigError(
            f"crop_padding and flip change images, and the data are {kind}: "
            "set crop_padding=0 and flip=false"
        )


IMAGES_ON_DEVICE_BYTES = 4 * 2**30
"""Images up to this size live on the compute device; larger sets are streamed to it."""

PRECISIONS = (
    "auto",
    "32-true",
    "bf16-mixed",
    "16-mixed",
    "bf16-true",
    "16-true",
    "64-true",
    "transformer-engine",
    "transformer-engine-float16",
    "bf16",
    "16",
    "32",
    "64",
)
"""Precisions of training: `auto`, which is bf16 where the hardware supports it, and Lightning
Fabric's names and short names."""


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed that depends only on `seed` and `purpose`.

    >>> derive_seed(0, "order") == derive_seed(0, "order") != derive_seed(0, "crop")
    True
    """
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


LARGEST = 2**63 - 1
"""The largest whole number of a setting: computations use 64 bits."""


def check_size(name: str, value: int) -> None:
    """Refuse a whole number that does not fit in 64 bits.

    Raises:
        ConfigError: names the setting and the value.
    """
    if abs(value) > LARGEST:
        raise ConfigError(f"{name} must be less than 2**63, got {shown(value)}")


def check_range(name: str, value: float, low: float | None, high: float | None) -> None:
    """Refuse a value that is outside `[low, high]` or not finite.

    Raises:
        ConfigError: names the setting, the range and the value.
    """
    if isinstance(value, int):
        check_size(name, value)
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (low is None or value >= low)
        and (high is None or value <= high)
    ):
        return
    span = f"{'' if low is None else low}..{'' if high is None else high}"
    raise ConfigError(f"{name} must be a finite number in {span}, got {shown(value)}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not one of `choices`.

    Raises:
        ConfigError: names the setting, the choices and the value.
    """
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}")
