"""The values that cross rooms. They are frozen; tensors in them are never written to."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor, nn

from expunge.errors import ConfigError, ForgetError, ModelError, some

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Mask = Mapping[str, Tensor]
"""Which weights are kept: parameter name to bool tensor of its shape; False is pruned."""


class Images(Protocol):
    """Images by index, handed out in batches on the compute device."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def to(self, device: torch.device) -> Images:
        """The same images, handed out on `device`."""
        ...

    def batches(self, index: Iterable[Tensor]) -> Iterator[Tensor]:
        """For each int64 index `(B,)`, images `(B, C, H, W)`: uint8 0-255, or float32 as given."""
        ...


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled images that can be told apart."""

    images: Images
    labels: Tensor
    """int64 `(N,)`, on the CPU."""
    ids: tuple[str, ...]
    """A stable, unique name of every sample."""
    class_names: tuple[str, ...]
    name: str
    """What tables call the dataset."""
    fingerprint: str
    """Hex digest of the images, labels and ids."""

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self.ids)

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a run trains on, selects on and is judged on: disjoint, the same in every stage."""

    train: Samples
    test: Samples
    validation: Samples | None = None
    held_out: tuple[str, ...] = ()
    """Of `test` and `validation`, those that were taken from the training data."""


@dataclass(frozen=True, eq=False)
class Split:
    """The training samples, divided into those to forget and those to retain.

    Raises:
        ForgetError: nothing or everything is to be forgotten, or an index is out of range or twice.
    """

    train: Samples
    forget: Tensor
    """int64 indices into `train`, ascending, on the CPU."""
    scenario: str
    """How the forget set was chosen: `class:3`, `random:0.1`, `ids:FILE`."""
    classes: tuple[int, ...] = ()
    """The forgotten classes where the scenario is by class, else empty."""
    retain: Tensor = field(init=False)
    """int64 indices into `train`: all that are not in `forget`, ascending."""

    def __post_init__(self) -> None:
        n = len(self.train)
        forget = torch.as_tensor(self.forget, dtype=torch.int64).cpu()
        if len(forget) == 0:
            raise ForgetError(
                f"the forget set of {self.scenario!r} is empty: expected 1 to {n - 1} samples"
            )
        outside = forget[(forget < 0) | (forget >= n)].tolist()
        if outside:
            raise ForgetError(f"forget indices outside 0..{n - 1}: {some(outside)}")
        unique = torch.unique(forget)
        if len(unique) < len(forget):
            raise ForgetError(f"{len(forget) - len(unique)} forget indices are given twice")
        if len(unique) == n:
            raise ForgetError(
                f"{self.scenario!r} forgets all {n} training samples: nothing is left to retain"
            )
        kept = torch.ones(n, dtype=torch.bool)
        kept[unique] = False
        object.__setattr__(self, "forget", unique)
        object.__setattr__(self, "retain", kept.nonzero().flatten())


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to training images; evaluation never augments."""

    crop_padding: int = 0
    """Zero pixels added on every side before a random crop back to the original size."""
    flip: bool = False
    """Mirror left to right with probability one half."""

    def __post_init__(self) -> None:
        if self.crop_padding < 0:
            raise ConfigError(f"crop_padding must be 0 or more, got {self.crop_padding}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: optimiser and schedule. Defaults are the paper's for CIFAR."""

    epochs: int = 182
    """Passes over the samples."""
    batch_size: int = 256
    """Samples in one step, over all devices together."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` for networks of convolutions, `adamw` for transformers."""
    lr: float = 0.1
    """Peak learning rate."""
    momentum: float = 0.9
    """SGD momentum; AdamW's beta 1 (its beta 2 is 0.999)."""
    nesterov: bool = False
    """Nesterov's form of momentum; SGD only."""
    weight_decay: float = 5e-4
    """SGD: L2 penalty on every parameter. AdamW: decoupled, times the learning rate."""
    schedule: Literal["milestones", "cosine", "one_cycle", "constant"] = "milestones"
    """How the learning rate changes, step by step."""
    milestones: tuple[int, ...] = (91, 136)
    """Epochs at which `milestones` multiplies the learning rate by 0.1."""
    warmup_epochs: float = 0.0
    """Epochs of linear growth from zero; for `one_cycle`, the rise of the triangle."""
    label_smoothing: float = 0.0
    """Share of the target spread evenly over the classes."""
    crop_padding: int = 0
    """Augmentation: zero pixels around the image before a random crop."""
    flip: bool = False
    """Augmentation: mirror left to right at random."""
    rewind_epoch: int = 8
    """The epoch whose weights are kept for pruners that rewind."""

    def __post_init__(self) -> None:
        check_range("epochs", self.epochs, 0, None)
        check_range("batch_size", self.batch_size, 1, None)
        check_range("lr", self.lr, 0, None)
        check_range("momentum", self.momentum, 0, 1)
        check_range("weight_decay", self.weight_decay, 0, None)
        check_range("warmup_epochs", self.warmup_epochs, 0, None)
        check_range("label_smoothing", self.label_smoothing, 0, 1)
        check_range("rewind_epoch", self.rewind_epoch, 0, None)
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
    """Told how far long work has come; must not touch what it is told about."""

    def __call__(self, task: str, done: int, total: int, images: int) -> None:
        """`done` of `total` steps of `task`, which saw `images` images so far."""
        ...


def silent(task: str, done: int, total: int, images: int) -> None:
    """The progress callback that says nothing."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What surrounds a computation: where it runs, its seed, its mask, its recipe."""

    fabric: Fabric
    """Device, precision and data parallelism."""
    seed: int = 0
    """The root of every generator."""
    mask: Mask | None = None
    """What is zero stays zero."""
    rebuild: Callable[[int], nn.Module] | None = None
    """A fresh network of the same architecture, initialised from the seed that it is given."""
    recipe: Recipe | None = None
    """How the original model was trained."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes to training images."""
    compiled: bool = False
    """Whether training steps are compiled, where they can be."""
    progress: Progress = silent

    @property
    def device(self) -> torch.device:
        """The compute device."""
        return self.fabric.device

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator of its own for `purpose`: the same seed and purpose give the same numbers."""
        return torch.Generator(device).manual_seed(derive_seed(self.seed, purpose))

    def fresh_model(self) -> nn.Module:
        """A newly initialised network.

        Raises:
            ModelError: the context does not know how to build one.
        """
        if self.rebuild is None:
            raise ModelError(
                "this needs a freshly initialised network: pass rebuild, a function from a seed "
                "to a new model"
            )
        return self.rebuild(derive_seed(self.seed, "initialisation"))

    def training_recipe(self) -> Recipe:
        """The recipe of the original training.

        Raises:
            ConfigError: the context has none.
        """
        if self.recipe is None:
            raise ConfigError("this trains from scratch and needs the training recipe: pass recipe")
        return self.recipe


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed that depends on `seed` and `purpose` alone.

    >>> derive_seed(0, "order") == derive_seed(0, "order") != derive_seed(0, "crop")
    True
    """
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def check_range(name: str, value: float, low: float | None, high: float | None) -> None:
    """Refuse a value outside `[low, high]`, or not finite.

    Raises:
        ConfigError: names the setting, the range and the value.
    """
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (low is None or value >= low)
        and (high is None or value <= high)
    ):
        return
    span = f"{'' if low is None else low}..{'' if high is None else high}"
    raise ConfigError(f"{name} must be a finite number in {span}, got {value!r}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not one of `choices`.

    Raises:
        ConfigError: names the setting, the choices and the value.
    """
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
