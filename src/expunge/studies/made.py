"""What made the artefacts of a document: the makers, numbered so that cells can refer to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from expunge.runs import read_artefact

_OF_A_PLACE = ("engine", "device", "precision", "threads", "code")

_SAME = ("date", "engine", "commit")


class Makers:
    """The distinct makers of a document's artefacts, numbered in order of appearance."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._listed: list[dict[str, Any]] = []

    def of(self, folder: Path) -> int:
        """The number of the maker of the artefact in `folder`.

        Raises:
            StoreError: the artefact's record is damaged.
        """
        made = read_artefact(folder).made
        maker = {**made["environment"], **{name: made[name] for name in _OF_A_PLACE}}
        # The date and the commit do not tell makers apart; those of the first are kept.
        key = repr({name: value for name, value in maker.items() if name not in _SAME})
        if key not in self._known:
            self._known[key] = len(self._listed)
            self._listed.append(maker)
        return self._known[key]

    @property
    def listed(self) -> list[dict[str, Any]]:
        """Every maker: the environment, device, precision, threads and code."""
        return list(self._listed)
