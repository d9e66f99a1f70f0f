"""What can go wrong, as one small hierarchy.

::

    ExpungeError                 every error that expunge raises on purpose
    ├── ConfigError              a setting is missing, unknown or out of range
    ├── DataError                a dataset, file or column cannot be read or does not fit
    ├── ForgetError              the forget set is empty, everything, or names unknown samples
    ├── ModelError               a network cannot be built, or does not fit the data
    ├── MaskError                a mask does not belong to the network
    ├── CheckpointError          a file of weights is corrupt, hostile or of another network
    ├── StoreError               the store of artefacts cannot be read or written
    └── DivergedError            a loss or a weight is no longer finite

Every message is one line: what was expected, what came, what to do. The command line prints it
and exits with code 2.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ExpungeError(Exception):
    """The base of every error that expunge raises on purpose."""


class ConfigError(ExpungeError):
    """A setting is missing, unknown or out of range."""


class DataError(ExpungeError):
    """A dataset, file or column cannot be read or does not fit."""


class ForgetError(ExpungeError):
    """The forget set is empty, everything, or names samples that are not there."""


class ModelError(ExpungeError):
    """A network cannot be built, or does not fit the data."""


class MaskError(ExpungeError):
    """A mask does not belong to the network it is used with."""


class CheckpointError(ExpungeError):
    """A file of weights is corrupt, hostile or of another network."""


class StoreError(ExpungeError):
    """The store of artefacts cannot be read or written."""


class DivergedError(ExpungeError):
    """A loss or a weight is no longer finite."""


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    """One line that names an unknown `kind`, what is known, and the closest match.

    >>> unknown("method", "gaa", ["ft", "ga"])
    "unknown method 'gaa': expected one of ft, ga (did you mean 'ga'?)"
    """
    names = [str(item) for item in known]
    close = get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {kind} {str(name)!r}: expected one of {', '.join(names)}{hint}"


def some(items: Iterable[object], limit: int = 10) -> str:
    """Up to `limit` items spelt out, and how many more there are.

    >>> some(range(4), limit=2)
    '0, 1 and 2 more'
    """
    listed = [str(item) for item in items]
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")
