"""What a scenario is, and what it chooses from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.int64]


class Listed(Protocol):
    """Training samples as a list: enough to choose from without loading them."""

    @property
    def ids(self) -> Sequence[str]:
        """The id of every sample."""
        ...

    @property
    def labels(self) -> Any:
        """Its class, an array or a tensor of int64 `(N,)`."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of all classes."""
        ...


class Scenario(Protocol):
    """A rule that chooses the training samples to forget."""

    @property
    def name(self) -> str:
        """The text form, as in tables and commands: `class:3`, `random:0.1`, `ids:FILE`."""
        ...

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """Ascending int64 rows of the samples to forget, and the classes that go as a whole.

        Raises:
            ForgetError: the rule does not fit these samples.
        """
        ...

    def count(self, samples: Listed) -> int:
        """How many samples `select` chooses, without drawing any.

        Raises:
            ForgetError: the rule does not fit these samples.
        """
        ...


def touched_by(samples: Listed) -> Mapping[str, Sequence[str]]:
    """The ids that each edit of the data touched, where `samples` know of any."""
    return getattr(samples, "touched", {})
