"""Targets: the samples whose predictions are to be explained, by their text form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError, some
from expunge.scenarios.by_draw import lowest
from expunge.scenarios.id_file import read_ids
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.data.facts import Facts

_EXPECTED = "wrong:5, draw:20, ids:FILE, or ids with commas between them"
_COUNTED = ("wrong", "draw")


@dataclass(frozen=True)
class Targets:
    """Samples to explain: those that a model gets wrong, a draw of test samples, or given ids."""

    text: str
    """The text form."""
    rule: str
    """`wrong`, `draw` or `ids`."""
    count: int = 0
    """How many, for `wrong` and `draw`."""
    ids: tuple[str, ...] = ()
    """Ids of test or training samples, for `ids`."""

    @property
    def param(self) -> Any:
        """What a node's id is made from."""
        if self.rule != "ids":
            return self.text
        return hashlib.blake2b(json.dumps(self.ids).encode(), digest_size=16).hexdigest()

    def check(self, facts: Facts) -> int:
        """How many targets there are.

        Raises:
            ConfigError: there are fewer samples than asked for, or ids are unknown or repeated.
        """
        if self.rule == "ids":
            return len(self.rows(facts)[1])
        there = len(facts.parts["test"].ids)
        if self.count > there:
            raise ConfigError(
                f"targets {self.text!r}: expected at most the {there} test samples, "
                f"got {self.count}"
            )
        return self.count

    def rows(self, facts: Facts, predictions: Any = None) -> tuple[str, list[int]]:
        """The population, `train` or `test`, and the rows of the targets in it.

        For `wrong` they are those of the largest loss among the samples that the model gets wrong,
        by its `predictions` of the test samples.

        Raises:
            ConfigError: ids are unknown, repeated or of both populations, or the model gets no test
                sample wrong.
        """
        if self.rule == "draw":
            return "test", lowest(facts.parts["test"].ids, 0, self.count)
        if self.rule == "wrong":
            return "test", _wrong(predictions, self.count)
        return self._of_ids(facts)

    def _of_ids(self, facts: Facts) -> tuple[str, list[int]]:
        places = {
            population: {name: row for row, name in enumerate(facts.parts[population].ids)}
            for population in ("train", "test")
        }
        known = [[name for name in self.ids if name in place] for place in places.values()]
        if unknown := [name for name in self.ids if not any(name in each for each in known)]:
            raise ConfigError(
                f"targets: {len(unknown)} of {len(self.ids)} ids are neither of training nor of "
                f"test samples ({some(unknown)}): expected {_EXPECTED}"
            )
        if all(known):
            raise ConfigError(
                f"targets: {len(known[0])} ids are of training samples and {len(known[1])} of test "
                "samples: expected only one of the two"
            )
        if len(set(self.ids)) < len(self.ids):
            repeated = sorted({name for name in self.ids if self.ids.count(name) > 1})
            raise ConfigError(f"targets: ids are given more than once ({some(repeated)})")
        population = "train" if known[0] else "test"
        return population, [places[population][name] for name in self.ids]


def parse_targets(text: str) -> Targets:
    """The targets that `text` describes; a file of ids is read now.

    >>> parse_targets("wrong:5").count, parse_targets("a,b").ids
    (5, ('a', 'b'))

    Raises:
        ConfigError: it is empty, or a number is below 1.
        ForgetError: the file of ids cannot be read.
    """
    rule, colon, value = text.partition(":")
    if colon and rule in _COUNTED:
        if not value.isdecimal():
            raise ConfigError(f"targets {text!r}: expected a whole number, as in {rule}:5")
        check_range("the number of targets", int(value), 1, None)
        return Targets(text, rule, count=int(value))
    if colon and rule == "ids" and value:
        return Targets(text, "ids", ids=read_ids(Path(value)))
    ids = tuple(part.strip() for part in text.split(",") if part.strip())
    if not ids:
        raise ConfigError(f"there are no targets in {text!r}: expected {_EXPECTED}")
    return Targets(text, "ids", ids=ids)


def _wrong(predictions: Any, count: int) -> list[int]:
    """Rows of the samples with the largest loss among those that are wrong."""
    import numpy as np

    from expunge.attribution.datamodel import margins

    logits, labels = predictions["logits"], predictions["labels"]
    wrong = np.flatnonzero(logits.argmax(1) != labels)
    if not len(wrong):
        raise ConfigError(
            "the model gets every test sample right: choose targets by draw:N or by their ids"
        )
    order = wrong[np.argsort(margins(logits, labels)[wrong], kind="stable")]
    return [int(row) for row in predictions["rows"][order[:count]]]
