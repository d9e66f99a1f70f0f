"""The protocol of a scenario, and of the samples that it chooses from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.int64]


class Listed(Protocol):
    """The ids and labels of training samples, without their inputs."""

    @property
    def ids(self) -> Sequence[str]:
        """The id of every sample."""
        ...

    @property
    def labels(self) -> Any:
        """The class of every sample: an int64 array or tensor `(N,)`."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of all classes."""
        ...


@runtime_checkable
class Scenario(Protocol):
    """A rule that chooses the training samples to forget."""

    @property
    def name(self) -> str:
        """The text form used in tables and commands: `class:3`, `random:0.1`, `ids:FILE`."""
        ...

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """Ascending int64 rows of the samples to forget, and the classes that are forgotten whole.

        Raises:
            ForgetError: the rule does not match these samples.
        """
        ...

    def count(self, samples: Listed) -> int:
        """The number of samples that `select` chooses, without drawing them.

        Raises:
            ForgetError: the rule does not match these samples.
        """
        ...


class Parsed(Scenario):
    """A scenario that a text names, and what is asked of it when work is planned; most say nothing.

    What it may say depends on the text alone, or on a file that the text names.
    """

    @property
    def identity(self) -> dict[str, Any]:
        """What the choice rests on beside the samples and the text, such as a seed.

        The digest of a file's content stands in place of the text, whose path says nothing.
        """
        return {}

    def undecided(self, pending: Collection[str]) -> bool:
        """Whether edits in `pending`, or models still to be made, decide how many it chooses."""
        return False

    def check_edits(self, edits: Collection[str]) -> None:
        """Refuse data that have only these edits.

        Raises:
            ForgetError: an edit whose samples are chosen is not among them.
        """

    def check(self, samples: Listed, others: Mapping[str, Collection[str]]) -> None:
        """Refuse samples that do not fit; `others` are ids of which more is known, by what that is.

        Raises:
            ForgetError: names what does not fit.
        """


def touched_by(samples: Listed) -> Mapping[str, Sequence[str]]:
    """The ids that each edit of the data changed, if `samples` has any."""
    return getattr(samples, "touched", {})


def plain(value: Any) -> Any:
    """The plain value of a number from NumPy or PyTorch; anything else unchanged."""
    return value.item() if getattr(value, "ndim", None) == 0 else value
