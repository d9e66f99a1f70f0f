"""What a detector may read about the samples that it scores."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from expunge.errors import ConfigError, DataError, unknown

Floats: TypeAlias = npt.NDArray[np.float64]
Inputs: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

ARRAYS = ("features", "logits", "out_of_fold")
"""What there may be of every sample: the inputs of the network's last layer, its outputs, and the
outputs of models that were not trained on the sample."""

NEEDS = (*ARRAYS, "trusted", "model")
"""All that a detector may ask for, beside the labels. `trusted` are rows of samples that are known
to be clean; `model` is the network as a function, with the samples' inputs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleEvidence:
    """All evidence about N samples, or the part that a detector needs.

    The rows are the training samples under suspicion and some clean samples. A detector must treat
    all rows alike, except those in `trusted`: clean rows that are not in it set the threshold.

    Raises:
        DataError: shapes do not fit, a value is not finite, or a label or a row does not exist.
    """

    labels: Integers
    """`(N,)` int64: the class that each sample is labelled as."""
    num_classes: int
    features: Floats | None = None
    """`(N, F)` float64: the inputs of the network's last layer."""
    logits: Floats | None = None
    """`(N, classes)` float64."""
    out_of_fold: Floats | None = None
    """`(N, classes)` float64: logits of models that were not trained on the sample."""
    trusted: Integers | None = None
    """`(M,)` int64: rows of samples known to be clean, in an order of their own."""
    inputs: Callable[[Integers], Inputs] | None = None
    """`inputs(rows)`: float32 `(B, ...)`, as the network takes them; pixels are in 0-1."""
    predict: Callable[[Inputs], Floats] | None = None
    """`predict(inputs)`: the logits `(B, classes)` of the network, float64."""

    def __post_init__(self) -> None:
        count = len(self.labels)
        if self.labels.ndim != 1 or count == 0:
            raise DataError(f"labels must be int (N,) and not empty, got {self.labels.shape}")
        _check_within("labels", self.labels, self.num_classes)
        for name in ARRAYS:
            array = getattr(self, name)
            if array is None:
                continue
            if array.ndim != 2 or len(array) != count:
                raise DataError(f"{name} must be ({count}, ...), one row a sample: {array.shape}")
            if broken := int((~np.isfinite(array)).any(1).sum()):
                raise DataError(f"the {name} of {broken} of {count} samples are not finite")
            if name != "features" and array.shape[1] != self.num_classes:
                raise DataError(f"{name} must be of {self.num_classes} classes: {array.shape}")
        if self.trusted is not None:
            _check_within("trusted rows", self.trusted, count)
            if len(np.unique(self.trusted)) < max(1, len(self.trusted)):
                raise DataError("trusted rows must be one or more, each once")

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self.labels)

    def array(self, name: str) -> Floats:
        """The array called `name`, one of `ARRAYS`.

        Raises:
            DataError: it is not there.
        """
        found: Floats | None = getattr(self, name) if name in ARRAYS else None
        if found is None:
            raise DataError(f"there are no {name} of the samples")
        return found

    def trusted_rows(self) -> Integers:
        """The rows of trusted samples.

        Raises:
            DataError: there are none.
        """
        if self.trusted is None:
            raise DataError("there are no trusted samples")
        return self.trusted

    def network(self) -> tuple[Callable[[Integers], Inputs], Callable[[Inputs], Floats]]:
        """The functions `inputs` and `predict`.

        Raises:
            DataError: they are not there.
        """
        if self.inputs is None or self.predict is None:
            raise DataError("there is no network to run on the samples' inputs")
        return self.inputs, self.predict

    def only(self, needs: Collection[str]) -> SampleEvidence:
        """The part that `needs` names, and the labels.

        Raises:
            ConfigError: a need is unknown.
            DataError: something that it names is not there.
        """
        for need in sorted(set(needs) - set(NEEDS)):
            raise ConfigError(unknown("need of a detector", need, NEEDS))
        for need in sorted(needs):
            if need == "trusted":
                self.trusted_rows()
            elif need == "model":
                self.network()
            else:
                self.array(need)
        return replace(
            self,
            features=self.features if "features" in needs else None,
            logits=self.logits if "logits" in needs else None,
            out_of_fold=self.out_of_fold if "out_of_fold" in needs else None,
            trusted=self.trusted if "trusted" in needs else None,
            inputs=self.inputs if "model" in needs else None,
            predict=self.predict if "model" in needs else None,
        )


def _check_within(what: str, values: Integers, end: int) -> None:
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{what} must be integers, got {values.dtype}")
    if len(values) and (values.min() < 0 or values.max() >= end):
        raise DataError(f"{what} must be in 0..{end - 1}, got {values.min()}..{values.max()}")
