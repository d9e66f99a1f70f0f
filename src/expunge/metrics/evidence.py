"""What a metric may read about one model in one scenario."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from expunge.errors import DataError, ForgetError, TooFewSamplesError, some
from expunge.metrics.arrays import Flags, LabelArray, LogitArray, check_predictions

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.metrics.klom import Margins
    from expunge.metrics.near_copies import Copies
    from expunge.types import Mask

_DIVIDED = ("train", "base_train", "real")


@dataclass(frozen=True, eq=False)
class Predictions:
    """One model's predictions on one population, without augmentation.

    Raises:
        DataError: logits and labels are empty or do not fit.
    """

    logits: LogitArray
    """`(N, classes)` float32."""
    labels: LabelArray
    """`(N,)` int64."""
    groups: LabelArray | None = None
    """`(N,)` int64: the number of each sample's group; for the population `groups` only."""
    features: LogitArray | None = None
    """`(N, D)` float32: what the logits are computed from, of generated and real images."""

    def __post_init__(self) -> None:
        check_predictions(self.logits, self.labels)
        if self.groups is not None and self.groups.shape != self.labels.shape:
            raise DataError(
                f"expected a group for each of {len(self.labels)} samples, got {self.groups.shape}"
            )
        if self.features is not None and (
            self.features.ndim != 2 or len(self.features) != len(self.labels)
        ):
            raise DataError(f"expected features ({len(self.labels)}, D), got {self.features.shape}")

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self.labels)

    def at(self, flags: Flags) -> Predictions:
        """The predictions where `flags`, bool `(N,)`, is true."""
        groups = None if self.groups is None else self.groups[flags]
        features = None if self.features is None else self.features[flags]
        return Predictions(self.logits[flags], self.labels[flags], groups, features)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """All evidence about one model in one scenario, or the part that a metric needs.

    Raises:
        DataError: predictions have different classes, or do not fit the flags.
        ForgetError: the forget set is empty or everything, a sample is both forgotten and
            retained, or a forgotten class does not exist.
    """

    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    """By the names in `expunge.metrics.metric.PREDICTIONS`."""
    forget: Flags | None = None
    """bool `(N,)`: which training samples are forgotten; None if there are no predictions on them,
    or some of them are gone from the data."""
    retain: Flags | None = None
    """bool `(N,)`: which are retained. Samples that are neither, because an ancestor has already
    forgotten them, do not count."""
    classes: Collection[int] = ()
    """The classes forgotten as a whole; empty in all other scenarios."""
    ids: Sequence[str] | None = None
    """Of the training samples, `(N,)`, by which attacks draw; None: by their places."""
    seed: int = 0
    """Seed of everything that attacks draw."""
    target: int | None = None
    """The target class of triggered samples."""
    class_names: tuple[str, ...] = ()
    """The names of all classes; empty: their numbers."""
    group_names: tuple[str, ...] = ()
    """The names of the groups of the population `groups`; empty: their numbers."""
    groups_are_marks: bool = False
    """Whether the group of a number holds all samples that carry the mark of that class."""
    weights: Mapping[str, Callable[[], Mapping[str, Tensor]]] = field(default_factory=dict)
    """By the names in `expunge.metrics.metric.WEIGHTS`, functions that load the parameters by
    name; of `base` and `reference` there may be more than the model has."""
    mask: Mask | None = None
    """Which weights of the model are kept; None if it is dense."""
    counted: tuple[str, ...] = ()
    """The names of the weights that sparsity is counted over."""
    copies: Copies | None = None
    """How near generated images are to those of the forget set."""
    margins: Mapping[str, Margins] = field(default_factory=dict)
    """By population, the margins of many models on it."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why something in `expunge.metrics.metric.NEEDS` is not available; a metric that needs it
    gives None with this reason."""

    def __post_init__(self) -> None:
        self._check_classes()
        for name, flags in (("forget", self.forget), ("retain", self.retain)):
            if flags is not None and (flags.dtype != np.bool_ or flags.ndim != 1):
                raise DataError(f"{name} must be bool (N,), got {flags.dtype} {flags.shape}")
        for name in _DIVIDED:
            if name in self.predictions:
                self._check_lengths(name)
        if self.ids is not None and self.retain is not None and len(self.ids) != len(self.retain):
            raise DataError(f"expected {len(self.retain)} ids, got {len(self.ids)}")
        if self.forget is None or self.retain is None:
            return
        if both := int((self.forget & self.retain).sum()):
            raise ForgetError(
                f"expected samples to be forgotten or retained, got {both} that are both"
            )
        if not self.forget.any() or not self.retain.any():
            raise ForgetError(
                f"expected 1 to {len(self.forget) - 1} samples to forget and some to retain, "
                f"got {int(self.forget.sum())} and {int(self.retain.sum())}"
            )

    def predictions_of(self, name: str) -> Predictions:
        """The predictions called `name`.

        Raises:
            DataError: they are not there.
        """
        if name not in self.predictions:
            raise DataError(f"there are no predictions of {name}: {_named(self.predictions)}")
        return self.predictions[name]

    def forgotten(self, name: str = "train") -> Predictions:
        """Predictions of the training samples that are forgotten; `base_train` is the model before.

        Raises:
            DataError: they are missing, or the flags of forgotten samples are.
        """
        return self.predictions_of(name).at(_given("forget", self.forget))

    def retained(self, name: str = "train") -> Predictions:
        """Predictions of the training samples that are retained.

        Raises:
            DataError: they are missing, or the flags of retained samples are.
        """
        return self.predictions_of(name).at(_given("retain", self.retain))

    def retained_ids(self) -> list[str]:
        """The ids of the retained training samples; their places where no ids are given.

        Raises:
            DataError: the flags of retained samples are missing.
        """
        rows = np.flatnonzero(_given("retain", self.retain)).tolist()
        return [str(row) if self.ids is None else self.ids[row] for row in rows]

    def of_forgotten_classes(self, name: str = "test") -> Flags:
        """Flags `(N,)` of the samples of a population whose class is forgotten as a whole.

        Raises:
            DataError: these predictions are missing.
        """
        flags: Flags = np.isin(self.predictions_of(name).labels, list(self.classes))
        return flags

    def of_remaining_classes(self, name: str = "test") -> Predictions:
        """Predictions on a population without the classes forgotten as a whole.

        Raises:
            DataError: these predictions are missing, or none is left.
        """
        gone = self.of_forgotten_classes(name)
        if gone.all():
            raise TooFewSamplesError(
                f"every {name} sample is of a forgotten class: none is left to measure on"
            )
        return self.predictions_of(name).at(~gone)

    def weights_of(self, role: str) -> Mapping[str, Tensor]:
        """The parameters by name of `model`, `base` or `reference`, loaded now.

        Raises:
            DataError: they are not there.
        """
        if role not in self.weights:
            raise DataError(f"there are no weights of {role}: {_named(self.weights)}")
        return self.weights[role]()

    def distances(self) -> Copies:
        """How near generated images are to those of the forget set.

        Raises:
            DataError: that is not there.
        """
        if self.copies is None:
            raise DataError("there are no distances of copies: nothing of the kind was given")
        return self.copies

    def sets_of_margins(self) -> Mapping[str, Margins]:
        """The margins of many models, by population.

        Raises:
            DataError: there are none.
        """
        if not self.margins:
            raise DataError("there are no sets of margins: nothing of the kind was given")
        return self.margins

    def only(self, needs: Collection[str]) -> Evidence:
        """The part that `needs` names, and everything that is not tied to a need."""
        divided = any(name in needs for name in _DIVIDED)
        return replace(
            self,
            predictions={name: each for name, each in self.predictions.items() if name in needs},
            weights={role: load for role, load in self.weights.items() if role in needs},
            forget=self.forget if divided and "forget" in needs else None,
            retain=self.retain if divided else None,
            ids=self.ids if divided else None,
            mask=self.mask if "model" in needs else None,
            copies=self.copies if "copies" in needs else None,
            margins=self.margins if "margins" in needs else {},
        )

    def _check_lengths(self, name: str) -> None:
        expected = len(self.predictions[name])
        for what, flags in (("forget", self.forget), ("retain", self.retain)):
            if flags is not None and len(flags) != expected:
                raise DataError(
                    f"expected {what} to flag {expected} samples of {name}, got {len(flags)}"
                )

    def _check_classes(self) -> None:
        found = {name: each.logits.shape[1] for name, each in self.predictions.items()}
        if len(set(found.values())) > 1:
            raise DataError(f"expected logits of as many classes in all predictions, got {found}")
        for known in set(found.values()):
            outside = [each for each in self.classes if not 0 <= each < known]
            if outside:
                raise ForgetError(f"forgotten classes outside 0..{known - 1}: {some(outside)}")
            if self.target is not None and not 0 <= self.target < known:
                raise DataError(f"the target class is outside 0..{known - 1}: {self.target}")


def flags_of(index: LabelArray, total: int) -> Flags:
    """Flags `(total,)` of the samples at `index`, int64 `(M,)`.

    Raises:
        ForgetError: `index` is no row of integers, or one is outside 0..total−1.

    >>> flags_of(np.array([0, 2]), 3).tolist()
    [True, False, True]
    """
    if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
        raise ForgetError(f"expected a row of integer indices, got {index.dtype} {index.shape}")
    outside = index[(index < 0) | (index >= total)].tolist()
    if outside:
        raise ForgetError(f"indices outside 0..{total - 1}: {some(outside)}")
    flags = np.zeros(total, dtype=np.bool_)
    flags[index] = True
    return flags


def _given(name: str, flags: Flags | None) -> Flags:
    if flags is None:
        raise DataError(f"it is not said which samples to {name}: give their flags")
    return flags


def _named(there: Collection[str]) -> str:
    return f"there are {', '.join(there)}" if there else "nothing of the kind was given"
