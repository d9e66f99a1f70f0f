"""What a scenario is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.types import Samples


class Scenario(Protocol):
    """A rule that chooses the training samples to forget."""

    @property
    def name(self) -> str:
        """The text form, as in tables and commands: `class:3`, `random:0.1`, `ids:FILE`."""
        ...

    def select(self, samples: Samples) -> tuple[Tensor, tuple[int, ...]]:
        """int64 indices of the samples to forget, and the classes that go as a whole.

        Raises:
            ForgetError: the rule does not fit these samples.
        """
        ...
