"""Which settings of a method to search, in which ranges, and which are fixed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from expunge.config import from_mapping
from expunge.errors import ConfigError, unknown
from expunge.methods.method import Method, Range

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

DIGITS = 3
"""Significant digits of proposed values, so that a recipe can quote them exactly."""
_RANGE = re.compile(r"([\w-]+)=([^:]+):([^:]+)(:log)?")


@dataclass(frozen=True)
class Space:
    """A method's settings: some searched, some fixed, the rest at their defaults."""

    method: Method
    ranges: Mapping[str, Range]
    fixed: Mapping[str, Any]

    def config(self, values: Mapping[str, Any]) -> Any:
        """The method's configuration with `values` of the searched settings.

        Raises:
            ConfigError: the method refuses a value.
        """
        return from_mapping(self.method.config, {**self.fixed, **values}, self.method.name)

    def defaults(self) -> dict[str, float]:
        """The published values of the searched settings, or nothing if one is out of range."""
        config = self.config({})
        found = {name: getattr(config, name) for name in self.ranges}
        inside = all(
            value is not None and span.low <= value <= span.high
            for value, span in zip(found.values(), self.ranges.values(), strict=True)
        )
        return found if inside else {}

    def grid(self, count: int) -> list[dict[str, float]]:
        """`count` values of the one searched setting at equal distances, both ends included.

        Raises:
            ConfigError: several settings are searched, or its range has fewer whole numbers.
        """
        if len(self.ranges) != 1:
            raise ConfigError(
                f"a grid is over one setting, and {self.method.name} searches "
                f"{', '.join(self.ranges)}: fix all but one, or search without a grid"
            )
        ((name, span),) = self.ranges.items()
        ends = (math.log(span.low), math.log(span.high)) if span.log else (span.low, span.high)
        step = (ends[1] - ends[0]) / max(1, count - 1)
        places = [ends[0] + number * step for number in range(count)]
        values = [math.exp(place) if span.log else place for place in places]
        values = [min(max(value, span.low), span.high) for value in values]
        if _kind(self.method, name) is int:
            values = list(dict.fromkeys(map(round, values)))
            if len(values) < count:
                raise ConfigError(
                    f"a grid of {count} trials has only {len(values)} whole numbers of {name} "
                    f"from {span.low:g} to {span.high:g}: ask for {len(values)} trials"
                )
        return [{name: value} for value in values]

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """What a trial sets."""
        values: dict[str, Any] = {}
        for name, span in self.ranges.items():
            if _kind(self.method, name) is int:
                values[name] = trial.suggest_int(name, int(span.low), int(span.high), log=span.log)
            else:
                asked = trial.suggest_float(name, span.low, span.high, log=span.log)
                rounded = float(f"{asked:.{DIGITS}g}")
                values[name] = min(max(rounded, span.low), span.high)
        return values


def space_of(method: Method, ranges: Mapping[str, Range], fixed: Mapping[str, Any]) -> Space:
    """The space to search: the method's ranges without fixed settings, overridden by `ranges`.

    Raises:
        ConfigError: nothing is left to search; a setting is unknown, not a number, or both searched
            and fixed; or the method refuses one end of a range.
    """
    both = sorted(set(ranges) & set(fixed))
    if both:
        raise ConfigError(f"{both[0]} is both fixed and searched: give one of the two")
    searched = {name: span for name, span in method.search.items() if name not in fixed}
    searched |= ranges
    if not searched:
        raise ConfigError(
            f"{method.name} has no search space{' left' if method.search else ''}: "
            "say what to search, as in --range lr=1e-4:0.1:log"
        )
    space = Space(method, searched, dict(fixed))
    for name, span in searched.items():
        whole = _kind(method, name) is int
        for end in (span.low, span.high):
            if whole and end != int(end):
                raise ConfigError(f"{name} is a whole number, got the range {_text(span)}")
            space.config({name: int(end) if whole else float(end)})
    return space


def parse_range(text: str) -> tuple[str, Range]:
    """The setting and its range written as `NAME=LOW:HIGH` or `NAME=LOW:HIGH:log`.

    Raises:
        ConfigError: the text is not of this form, or the range is invalid.

    >>> parse_range("lr=1e-4:0.1:log")
    ('lr', Range(low=0.0001, high=0.1, log=True))
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ConfigError(f"a range is NAME=LOW:HIGH or NAME=LOW:HIGH:log, got {text!r}")
    try:
        return found[1].replace("-", "_"), Range(float(found[2]), float(found[3]), bool(found[4]))
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"range {text!r}: {error}") from None


def _kind(method: Method, name: str) -> type:
    """`int` or `float`: the type of a setting."""
    hints = get_type_hints(method.config)
    if name not in hints:
        raise ConfigError(f"{method.name}: {unknown('setting', name, hints)}")
    allowed = get_args(hints[name]) or (hints[name],)
    for kind in (int, float):
        if kind in allowed:
            return kind
    raise ConfigError(f"{method.name}: {name} is not a number and has no range: fix it instead")


def _text(span: Range) -> str:
    return f"{span.low:g}:{span.high:g}"
