"""Shared data types. They are frozen, and their tensors are never modified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from expunge.batch import Batch
from expunge.errors import ConfigError, ForgetError, ModelError, some
from expunge.reuse import Reuse
from expunge.settings import (
    Augmentation,
    InputKind,
    Progress,
    RecordEpoch,
    Training,
    derive_seed,
    silent,
    unrecorded,
)
from expunge.tasks import classify
from expunge.tasks.task import Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Mask = Mapping[str, Tensor]
"""Which weights are kept: parameter name to bool tensor of the same shape; False is pruned."""


class Inputs(Protocol):
    """A network's inputs, indexed by sample, in batches on the compute device."""

    @property
    def kind(self) -> InputKind:
        """Images, vectors or tokens."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: `(C, H, W)` for images, `(D,)` for vectors, `(L,)` for padded tokens."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """As stored: uint8 or float32 for images, float32 for vectors, int64 for tokens."""
        ...

    @property
    def vocabulary(self) -> int | None:
        """One more than the largest token id; None for images and vectors."""
        ...

    def __len__(self) -> int:
        """The number of samples."""
        ...

    def to(self, device: torch.device) -> Inputs:
        """The same samples, with batches on `device`."""
        ...

    def take(self, index: Tensor) -> Inputs:
        """A view of the samples at `index`, int64 `(M,)`, in that order."""
        ...

    def batches(self, index: Iterable[Tensor]) -> Iterator[Batch]:
        """The samples at each int64 index `(B,)`; uint8 images are 0-255."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """Labelled inputs with ids."""

    inputs: Inputs
    labels: Tensor
    """int64 `(N,)`, on the CPU."""
    ids: tuple[str, ...]
    """A stable, unique id for every sample."""
    class_names: tuple[str, ...]
    name: str
    """The name of the dataset in tables."""
    fingerprint: str
    """Hex digest of the inputs, labels and ids."""
    ids_from: str = ""
    """Where the ids come from; empty: they are hashes of the inputs."""
    notes: tuple[str, ...] = ()
    """What a person should know about how they were read, such as what was left out."""

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.ids)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    def __repr__(self) -> str:
        """A short summary: count, shape, classes, ids."""
        from expunge.describe import describe_samples

        return describe_samples(self)


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Disjoint training, validation and test samples, the same for every node."""

    train: Samples
    test: Samples
    validation: Samples | None = None
    held_out: tuple[str, ...] = ()
    """Which of `test` and `validation` were taken from the training data."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of all parts, each once."""
        parts = (self.train, self.validation, self.test)
        return tuple(
            dict.fromkeys(note for part in parts if part is not None for note in part.notes)
        )

    def __repr__(self) -> str:
        """A short summary: each part's samples by class, shape, ids."""
        from expunge.describe import describe_dataset

        return describe_dataset(self)


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """The training samples, split into those to forget and those to retain.

    Raises:
        ForgetError: the forget set is empty or everything, or an index is out of range or repeated.
    """

    train: Samples
    forget: Tensor
    """int64 indices into `train`, ascending, on the CPU."""
    scenario: str
    """How the forget set was chosen: `class:3`, `random:0.1`, `ids:FILE`."""
    classes: tuple[int, ...] = ()
    """The forgotten classes in a class scenario, else empty."""
    forgotten: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    """int64 indices into `train`: samples forgotten by earlier requests, never trained on."""
    retain: Tensor = field(init=False)
    """int64 indices into `train`, ascending: all samples not in `forget` or `forgotten`."""

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
            raise ForgetError(f"{len(forget) - len(unique)} forget indices are repeated")
        kept = torch.ones(n, dtype=torch.bool)
        kept[unique] = False
        kept[self.forgotten.cpu()] = False
        if not kept.any():
            raise ForgetError(
                f"{self.scenario!r} forgets all {n} training samples: nothing is left to retain"
            )
        object.__setattr__(self, "forget", unique)
        object.__setattr__(self, "retain", kept.nonzero().flatten())

    @property
    def forget_ids(self) -> tuple[str, ...]:
        """The ids of the samples to forget."""
        return tuple(self.train.ids[row] for row in self.forget.tolist())

    def __repr__(self) -> str:
        """A short summary: how many samples to forget and to retain, also by class."""
        from expunge.describe import describe_split

        return describe_split(self)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a computation runs with: device, seed, mask and training settings."""

    fabric: Fabric
    """Device, precision and data parallelism."""
    seed: int = 0
    """The seed that all generators derive from."""
    mask: Mask | None = None
    """Weights that it prunes stay zero."""
    rebuild: Callable[[int], nn.Module] | None = None
    """Builds a fresh network of the same architecture from a seed."""
    training: Training | None = None
    """How the original model was trained."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes to training images."""
    compiled: bool = False
    """Whether to compile training steps where possible."""
    task: Task = classify.TASK
    """What the network is trained for."""
    progress: Progress = silent
    reuse: Reuse = field(default_factory=Reuse)
    """What other unlearnings of the same model, forget set and seed have computed already."""
    record_epoch: RecordEpoch = unrecorded

    @property
    def device(self) -> torch.device:
        """The compute device."""
        return self.fabric.device

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """A separate generator for `purpose`: the same seed and purpose give the same numbers."""
        return torch.Generator(device).manual_seed(derive_seed(self.seed, purpose))

    def fresh_model(self) -> nn.Module:
        """A newly initialised network.

        Raises:
            ModelError: the context cannot build one.
        """
        if self.rebuild is None:
            raise ModelError(
                "this needs a freshly initialised network: pass rebuild, a function from a seed "
                "to a new model"
            )
        return self.rebuild(derive_seed(self.seed, "initialisation"))

    def training_settings(self) -> Training:
        """The settings of the original training.

        Raises:
            ConfigError: the context has none.
        """
        if self.training is None:
            raise ConfigError(
                "this trains from scratch and needs the training settings: pass training"
            )
        return self.training
