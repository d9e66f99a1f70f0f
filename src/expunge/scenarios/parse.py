"""Parse scenarios from their text form in commands and recipes."""

from collections.abc import Callable

from expunge.errors import ConfigError
from expunge.scenarios.at_random import at_random
from expunge.scenarios.base import Parsed
from expunge.scenarios.by_class import by_class
from expunge.scenarios.by_class_draw import by_class_draw
from expunge.scenarios.by_correction import by_correction
from expunge.scenarios.by_draw import by_draw
from expunge.scenarios.by_edit import ByEdit, by_edit
from expunge.scenarios.by_fold import by_fold
from expunge.scenarios.by_ids import by_ids
from expunge.scenarios.by_memorisation import by_memorisation
from expunge.scenarios.by_suspicion import by_suspicion


def parse(text: str, seed: int = 0) -> Parsed:
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
    if kind not in _FORMS or not value:
        raise ConfigError(f"unknown scenario {text!r}: expected {_expected()}")
    return _FORMS[kind][1](value, seed)


def _classes(value: str, seed: int) -> Parsed:
    return by_class(*(part.strip() for part in value.split(",")))


def _random(value: str, seed: int) -> Parsed:
    try:
        fraction = float(value)
    except ValueError:
        raise ConfigError(
            f"the fraction in 'random:{value}' must be a number between 0 and 1"
        ) from None
    return at_random(fraction, seed)


def _ids(value: str, seed: int) -> Parsed:
    return by_ids(value)


def _edited(value: str, seed: int) -> ByEdit:
    """`EDIT` or `EDIT:SHARE`; the name of an edit may have a colon of its own."""
    edit, _, share = value.rpartition(":")
    try:
        return by_edit(edit, float(share), seed) if edit else by_edit(value)
    except ValueError:
        return by_edit(value)


def _corrected(value: str, seed: int) -> Parsed:
    return by_correction(value)


def _suspected(value: str, seed: int) -> Parsed:
    return by_suspicion(value)


def _draw(value: str, seed: int) -> Parsed:
    return by_draw(*_share_and_number("draw", value))


def _class_draw(value: str, seed: int) -> Parsed:
    return by_class_draw(*_share_and_number("classes", value))


def _share_and_number(kind: str, value: str) -> tuple[float, int]:
    """`SHARE:NUMBER`."""
    share, _, number = value.partition(":")
    try:
        if not number.isdecimal():
            raise ValueError
        return float(share), int(number)
    except ValueError:
        raise ConfigError(
            f"'{kind}:{value}' must give a share and the number of a draw, as {kind}:0.5:17 does"
        ) from None


def _fold(value: str, seed: int) -> Parsed:
    """`FOLD/FOLDS`."""
    fold, _, folds = value.partition("/")
    if not (fold.isdecimal() and folds.isdecimal() and len(value) < 20):
        raise ConfigError(f"'fold:{value}' must give a fold and how many there are, as fold:1/5")
    return by_fold(int(fold), int(folds))


def _memorised(value: str, seed: int) -> Parsed:
    """`SHARE` or `SHARE:MODELS`."""
    share, colon, models = value.partition(":")
    try:
        if colon and not models.isdecimal():
            raise ValueError
        return by_memorisation(float(share), *([int(models)] if colon else []))
    except ValueError:
        raise ConfigError(
            f"'memorised:{value}' must give a share, and perhaps a number of subset models, as "
            "memorised:0.1 and memorised:0.1:100 do"
        ) from None


def _expected() -> str:
    *most, last = [form for forms, _ in _FORMS.values() for form in forms]
    return f"{', '.join(most)} or {last}"


_FORMS: dict[str, tuple[tuple[str, ...], Callable[[str, int], Parsed]]] = {
    "class": (("class:3", "class:cat", "class:3,5"), _classes),
    "classes": (("classes:0.5:17",), _class_draw),
    "random": (("random:0.1",), _random),
    "draw": (("draw:0.5:17",), _draw),
    "fold": (("fold:1/5",), _fold),
    "memorised": (("memorised:0.1",), _memorised),
    "ids": (("ids:FILE",), _ids),
    "edited": (("edited:EDIT", "edited:EDIT:0.5"), _edited),
    "corrected": (("corrected:labels.csv", "corrected:EDIT"), _corrected),
    "suspected": (("suspected:DETECTOR",), _suspected),
}
"""By the text before the colon: forms for messages, and a parser of the text after it."""

SCENARIO_KINDS = tuple(_FORMS)
"""What stands before the colon of a scenario's text."""
