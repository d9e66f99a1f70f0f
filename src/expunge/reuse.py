"""What several unlearnings of one model compute alike, made once and kept in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

Made = TypeVar("Made")

KEPT = 8
"""How many results are kept; the one used longest ago goes first."""


class Kept:
    """Results by key, with the seconds that each took."""

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[Any, float]] = {}

    def get(self, key: Hashable) -> tuple[Any, float] | None:
        """The result and its seconds, or None."""
        found = self._found.pop(key, None)
        if found is not None:
            self._found[key] = found
        return found

    def put(self, key: Hashable, made: Any, seconds: float) -> None:
        """Keep a result."""
        self._found[key] = made, seconds
        while len(self._found) > KEPT:
            del self._found[next(iter(self._found))]


class Reuse:
    """One unlearning's access to what others of the same model, forget set and seed have computed.

    Nobody may change what it gives. Without `kept`, everything is computed.
    """

    def __init__(self, kept: Kept | None = None, owner: Hashable = None) -> None:
        """`owner` is all that the results depend on, beside what `once` is told."""
        self._kept, self._owner = kept, owner
        self.spared = 0.0
        """Seconds that were not spent because of results found; they are part of a run time."""

    def once(self, key: Hashable, device: torch.device, make: Callable[[], Made]) -> Made:
        """What `make` gives, computed on `device`, or what it gave before for the same key."""
        if self._kept is None:
            return make()
        found = self._kept.get((self._owner, key))
        if found is not None:
            made: Made = found[0]
            self.spared += found[1]
            return made
        wait(device)
        start = time.perf_counter()
        made = make()
        wait(device)
        self._kept.put((self._owner, key), made, time.perf_counter() - start)
        return made


def wait(device: torch.device) -> None:
    """Wait for the device, which works asynchronously."""
    if device.type != "cpu":
        import torch

        torch.accelerator.synchronize(device)
