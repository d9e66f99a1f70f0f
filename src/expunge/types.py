"""The values that cross rooms. They are frozen; tensors in them are never written to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from expunge.batch import Batch
from expunge.errors import ConfigError, ForgetError, ModelError, some
from expunge.settings import Augmentation, InputKind, Progress, Training, derive_seed, silent
from expunge.tasks import classify
from expunge.tasks.task import Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Mask = Mapping[str, Tensor]
"""Which weights are kept: parameter name to bool tensor of its shape; False is pruned."""


class Inputs(Protocol):
    """What a network reads, by index, handed out in batches on the compute device."""

    @property
    def kind(self) -> InputKind:
        """Images, vectors or tokens."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: `(C, H, W)` of an image, `(D,)` of a vector, `(L,)` of padded tokens."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """As it is stored: uint8 or float32 of images, float32 of vectors, int64 of tokens."""
        ...

    @property
    def vocabulary(self) -> int | None:
        """One more than the largest token id; None of images and vectors."""
        ...

    def __len__(self) -> int:
        """How many samples there are."""
        ...

    def to(self, device: torch.device) -> Inputs:
        """The same samples, handed out on `device`."""
        ...

    def take(self, index: Tensor) -> Inputs:
        """A view of the samples at `index`, int64 `(M,)`, in its order."""
        ...

    def batches(self, index: Iterable[Tensor]) -> Iterator[Batch]:
        """For each int64 index `(B,)`, those samples; images of uint8 are 0-255."""
        ...


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled inputs that can be told apart."""

    inputs: Inputs
    labels: Tensor
    """int64 `(N,)`, on the CPU."""
    ids: tuple[str, ...]
    """A stable, unique name of every sample."""
    class_names: tuple[str, ...]
    name: str
    """What tables call the dataset."""
    fingerprint: str
    """Hex digest of the inputs, labels and ids."""

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
    forgotten: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    """int64 indices into `train`: what an earlier request has forgotten, and nobody trains on."""
    retain: Tensor = field(init=False)
    """int64 indices into `train`: all that are in neither of the two, ascending."""

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
        kept = torch.ones(n, dtype=torch.bool)
        kept[unique] = False
        kept[self.forgotten.cpu()] = False
        if not kept.any():
            raise ForgetError(
                f"{self.scenario!r} forgets all {n} training samples: nothing is left to retain"
            )
        object.__setattr__(self, "forget", unique)
        object.__setattr__(self, "retain", kept.nonzero().flatten())


@dataclass(frozen=True, kw_only=True)
class Context:
    """What surrounds a computation: where it runs, its seed, its mask, its training."""

    fabric: Fabric
    """Device, precision and data parallelism."""
    seed: int = 0
    """The root of every generator."""
    mask: Mask | None = None
    """What is zero stays zero."""
    rebuild: Callable[[int], nn.Module] | None = None
    """A fresh network of the same architecture, initialised from the seed that it is given."""
    training: Training | None = None
    """How the original model was trained."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Random changes to training images."""
    compiled: bool = False
    """Whether training steps are compiled, where they can be."""
    task: Task = classify.TASK
    """What the network is trained for."""
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

    def training_settings(self) -> Training:
        """The training of the original training.

        Raises:
            ConfigError: the context has none.
        """
        if self.training is None:
            raise ConfigError(
                "this trains from scratch and needs the training settings: pass training"
            )
        return self.training
