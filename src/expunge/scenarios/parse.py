"""Parse scenarios from their text form in commands and recipes."""

from expunge.errors import ConfigError
from expunge.scenarios.at_random import at_random
from expunge.scenarios.base import Scenario
from expunge.scenarios.by_class import by_class
from expunge.scenarios.by_edit import ByEdit, by_edit
from expunge.scenarios.by_ids import by_ids
from expunge.scenarios.by_suspicion import by_suspicion

_EXPECTED = (
    "class:3, class:cat, class:3,5, random:0.1, ids:FILE, edited:EDIT, edited:EDIT:0.5 or "
    "suspected:DETECTOR"
)


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
    if kind == "ids" and value:
        return by_ids(value)
    if kind == "edited" and value:
        return _edited(value, seed)
    if kind == "suspected" and value:
        return by_suspicion(value)
    raise ConfigError(f"unknown scenario {text!r}: expected {_EXPECTED}")


def _edited(value: str, seed: int) -> ByEdit:
    """`EDIT` or `EDIT:SHARE`; the name of an edit may have a colon of its own."""
    edit, _, share = value.rpartition(":")
    try:
        return by_edit(edit, float(share), seed) if edit else by_edit(value)
    except ValueError:
        return by_edit(value)
