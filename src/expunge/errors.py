"""The exceptions of expunge.

::

    ExpungeError                 the base of all errors that expunge raises itself
    ├── ConfigError              a setting is missing, unknown or out of range
    ├── DataError                a dataset, file or column cannot be read or does not match
    │   └── TooFewSamplesError   there are too few samples to measure something
    ├── ForgetError              the forget set is empty, everything, or has unknown samples
    ├── ModelError               a network cannot be built, or does not match the data
    ├── MaskError                a mask does not belong to the network
    │   └── CollapseError        a mask would prune all weights of a layer
    ├── CheckpointError          a weights file is corrupt, unsafe or for another network
    ├── StoreError               the artefact store cannot be read or written
    └── DivergedError            a loss or a weight is no longer finite

Every message is one line: what was expected, what was found, what to do. The command line prints
it and exits with code 2.
"""

from collections.abc import Iterable
from difflib import get_close_matches

_BEGINNING, _END = 1500, 300
"""How much of a very long message is shown: names and values in it may have any length."""


class ExpungeError(Exception):
    """The base of all errors that expunge raises itself."""

    def __str__(self) -> str:
        """The message, in one line whatever the names in it hold."""
        line = " ".join(super().__str__().splitlines())
        if len(line) <= _BEGINNING + _END:
            return line
        return f"{line[:_BEGINNING]} ... {line[-_END:]}"


class ConfigError(ExpungeError):
    """A setting is missing, unknown or out of range."""


class DataError(ExpungeError):
    """A dataset, file or column cannot be read or does not match."""


class TooFewSamplesError(DataError):
    """There are too few samples to measure something; what needs fewer can still be measured."""


class ForgetError(ExpungeError):
    """The forget set is empty, everything, or has unknown samples."""


class ModelError(ExpungeError):
    """A network cannot be built, or does not match the data."""


class MaskError(ExpungeError):
    """A mask does not belong to the network it is used with."""


class CollapseError(MaskError):
    """A mask would prune all weights of a layer."""


class CheckpointError(ExpungeError):
    """A weights file is corrupt, unsafe or for another network."""


class StoreError(ExpungeError):
    """The artefact store cannot be read or written."""


class DivergedError(ExpungeError):
    """A loss or a weight is no longer finite."""


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    """One line with the unknown name, the known ones and the closest match.

    >>> unknown("method", "gaa", ["ft", "ga"])
    "unknown method 'gaa': expected one of ft, ga (did you mean 'ga'?)"
    """
    names = [str(item) for item in known]
    close = get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {kind} {str(name)!r}: expected one of {', '.join(names)}{hint}"


def shown(value: object, limit: int = 80) -> str:
    """A value in an error message: its literal, cut where it is long.

    >>> shown("a" * 100, limit=8)
    "'aaaaaaa..."
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        text = f"a {type(value).__name__} of thousands of digits"
    return text if len(text) <= limit else f"{text[:limit]}..."


def line_of(error: BaseException) -> str:
    """The type and message of an error that is not of expunge, on one line.

    >>> line_of(KeyError("a"))
    "KeyError: 'a'"
    """
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")


def out_of_memory(error: BaseException) -> bool:
    """Whether memory did not suffice, or a size was too large to count."""
    words = ("allocate memory", "not enough memory", "out of memory", "overflow")
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(each in text for each in words)
    )


def some(items: Iterable[object], limit: int = 10) -> str:
    """Up to `limit` items, and the number of the rest.

    >>> some(range(4), limit=2)
    '0, 1 and 2 more'
    """
    listed = [str(item) for item in items]
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")
