"""A node of the graph: everything an artefact is made from, and the resulting id."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from expunge.errors import ConfigError
from expunge.runs.files import JSON

LARGEST = 4096
"""The most bytes of JSON for a node's params, because nodes are sent between machines."""

_KIND = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"[a-z][a-z0-9_]*-[0-9a-f]{16}")
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

_LEAVES = frozenset((str, int, bool, type(None)))

_Place: TypeAlias = "tuple[_Place, str | int] | None"
"""Where a value is: the place of its container, and its key. Formatted only for an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """Everything that determines an artefact's content. Two nodes are equal if their ids are.

    The order of keys does not matter; everything else does, 1 and 1.0 included.

    Raises:
        ConfigError: a name is malformed, a value is not JSON with finite numbers, or the params
            are larger than `LARGEST`.

    >>> Node(kind="train", version=1, params={"lr": 0.1, "seed": 0}).id
    'train-ccb82f4a9b18d244'
    """

    kind: str = field(compare=False)
    """Which kind of work: lower-case letters, digits and underscores."""
    version: int = field(compare=False)
    """The version of the kind, raised when the kind's results change."""
    params: Mapping[str, Any] = field(compare=False)
    """The kind's arguments; external files are given by their digest."""
    parents: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The artefacts that it reads: role to id."""
    where: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Where to find what the params give by digest, such as a path; not part of the id."""
    id: str = field(init=False)
    """The kind, and 64 bits of the SHA-256 of kind, version, params and parents."""

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise ConfigError(f"a node's kind must match {_KIND.pattern}, got {self.kind!r}")
        if type(self.version) is not int or self.version < 1:
            raise ConfigError(f"a kind's version must be 1, 2, ..., got {self.version!r}")
        for parent in self.parents.values():
            if not is_id(parent):
                raise ConfigError(f"{parent!r} is no artefact's id: expected {_ID.pattern}")
        # Copies, so that the id stays valid if the caller changes theirs.
        params = _plain(self.params, (None, "params"))
        parents = _plain(self.parents, (None, "parents"))
        text = _encode(params)
        if len(text) > LARGEST:
            raise ConfigError(
                f"the params of a {self.kind} node take {len(text)} bytes of JSON, expected at "
                f"most {LARGEST}: keep lists in a file, and its digest here"
            )
        # The canonical text of the four, without writing the params a second time.
        whole = (
            f'{{"kind":"{self.kind}","params":{text},'
            f'"parents":{_encode(parents)},"version":{self.version}}}'
        )
        digest = hashlib.sha256(whole.encode()).hexdigest()
        object.__setattr__(self, "params", params)
        object.__setattr__(self, "parents", parents)
        object.__setattr__(self, "where", _plain(self.where, (None, "where")))
        object.__setattr__(self, "id", f"{self.kind}-{digest[:16]}")

    def to_json(self) -> dict[str, JSON]:
        """The node as plain values, without its id."""
        return {
            "kind": self.kind,
            "version": self.version,
            "params": self.params,
            "parents": self.parents,
            "where": self.where,
        }

    @classmethod
    def from_json(cls, value: JSON) -> "Node":
        """The node that `to_json` returned.

        Raises:
            ConfigError: the value is not a node.
        """
        match value:
            case {
                "kind": str() as kind,
                "version": int() as version,
                "params": Mapping() as params,
                "parents": Mapping() as parents,
                "where": Mapping() as where,
                **rest,
            } if not rest:
                named = {role: str(parent) for role, parent in parents.items()}
                try:
                    return cls(
                        kind=kind, version=version, params=params, parents=named, where=where
                    )
                except RecursionError:
                    raise ConfigError("not a node: its values are nested too deeply") from None
        raise ConfigError("not a node: expected kind, version, params, parents and where")


def is_id(text: str) -> bool:
    """Whether `text` has the form of an artefact's id.

    >>> is_id("train-0123456789abcdef"), is_id("../train-0123456789abcdef")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


def canonical(value: JSON) -> str:
    """The one JSON text of `value`: keys sorted, no spaces, floats by `repr`, tuples as lists.

    Raises:
        ConfigError: a value is not JSON, NaN, an infinity or -0.0; the message gives its place.

    >>> canonical({"b": (1, 2.0), "a": None})
    '{"a":null,"b":[1,2.0]}'
    """
    return _encode(_plain(value, None))


def _plain(value: JSON, place: _Place) -> JSON:
    """`value` in plain containers, or an error that names the place that is not JSON."""
    # Exact types first: checking for subclasses and abstract classes takes longer than the rest.
    if type(value) in _LEAVES or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
            raise ConfigError(f"{_words(place)} must be finite and not -0.0, got {value}")
        return float(value)
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101
        plain: dict[str, JSON] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{_words(place)} must have text keys, got {key!r}")
            plain[key] = _plain(item, (place, key))
        return plain
    if isinstance(value, (list, tuple)) or (
        isinstance(value, Sequence) and not isinstance(value, bytes | bytearray)
    ):
        return [_plain(item, (place, index)) for index, item in enumerate(value)]
    raise ConfigError(
        f"{_words(place)} must be JSON (null, bool, number, text, list, mapping), "
        f"got {type(value).__name__}"
    )


def _words(place: _Place) -> str:
    words = ""
    while place is not None:
        place, key = place
        words = (f"[{key}]" if isinstance(key, int) else f".{key}") + words
    return words.removeprefix(".") or "the value"
