"""Parse scenarios from their text form in commands and recipes."""

from collections.abc import Callable

from expunge.errors import ConfigError
from expunge.scenarios.at_random import at_random
from expunge.scenarios.base import Scenario
from expunge.scenarios.by_class import by_class
from expunge.scenarios.by_class_draw import by_class_draw
from expunge.scenarios.by_draw import by_draw
from expunge.scenarios.by_edit import by_edit
from expunge.scenarios.by_ids import by_ids

_EXPECTED = (
    "class:3, class:cat, class:3,5, classes:0.5:17, random:0.1, draw:0.5:17, ids:FILE or "
    "edited:EDIT"
)

_DRAWS: dict[str, Callable[[float, int], Scenario]] = {
    "draw": by_draw,
    "classes": by_class_draw,
}


def parse(text: str, seed: int = 0) -> Scenario:
    """The scenario that `text` describes; `seed` is for random draws.

    >>> parse("class:3,5").name
    'class:3,5'
    >>> parse("random:0.1", seed=1)
    AtRandom(fraction=0.1, seed=1)

    Raises:
        ConfigError: `text` is not a scenario.
        ForgetError: the file of ids cannot be read.
    """
    kind, _, value = text.partition(":")
    if kind == "class" and value:
        return by_class(*(part.strip() for part in value.split(",")))
    if kind == "random" and value:
        try:
            fraction = float(value)
        except ValueError:
            raise ConfigError(
                f"the fraction in {text!r} must be a number between 0 and 1"
            ) from None
        return at_random(fraction, seed)
    if kind in _DRAWS and value:
        return _draw(text, kind, value)
    if kind == "ids" and value:
        return by_ids(value)
    if kind == "edited" and value:
        return by_edit(value)
    raise ConfigError(f"unknown scenario {text!r}: expected {_EXPECTED}")


def _draw(text: str, kind: str, value: str) -> Scenario:
    """The draw that `SHARE:NUMBER` names."""
    share, _, number = value.partition(":")
    try:
        if not number.isdecimal():
            raise ValueError
        return _DRAWS[kind](float(share), int(number))
    except ValueError:
        raise ConfigError(
            f"{text!r} must give a share and the number of a draw, as {kind}:0.5:17 does"
        ) from None
