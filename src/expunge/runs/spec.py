"""What a stage is made from, and the id that follows from it."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from expunge.errors import ConfigError
from expunge.runs.files import JSON

_KIND = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"[a-z][a-z0-9_]*-[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """All that decides what a stage computes. Two specs are equal when their ids are.

    The order of keys does not matter; everything else does, 1 and 1.0 included.

    Raises:
        ConfigError: a name is malformed, or a value is not JSON with finite numbers.

    >>> Spec(kind="train", settings={"lr": 0.1, "seed": 0}, code="1").id
    'train-d38e7ced748e2694'
    """

    kind: str = field(compare=False)
    """Which stage: lower-case letters, digits and underscores."""
    settings: Mapping[str, JSON] = field(compare=False)
    """The stage's configuration and the fingerprint of its data."""
    parents: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The artefacts that it reads: what each is to the stage, and its id."""
    code: str = field(compare=False)
    """The version of the code that computes it, as of `code_version`."""
    id: str = field(init=False)
    """The kind, and 64 bits of the SHA-256 of everything above."""

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise ConfigError(f"a stage's kind must match {_KIND.pattern}, got {self.kind!r}")
        for parent in self.parents.values():
            if not is_id(parent):
                raise ConfigError(f"{parent!r} is no artefact's id: expected {_ID.pattern}")
        # Copies, so that the id stays true whatever the caller does with theirs.
        object.__setattr__(self, "settings", _plain(self.settings, "settings"))
        object.__setattr__(self, "parents", dict(self.parents))
        digest = hashlib.sha256(canonical(self.to_json()).encode()).hexdigest()
        object.__setattr__(self, "id", f"{self.kind}-{digest[:16]}")

    def to_json(self) -> dict[str, JSON]:
        """The spec as plain values, without its id."""
        return {
            "kind": self.kind,
            "settings": self.settings,
            "parents": self.parents,
            "code": self.code,
        }

    @classmethod
    def from_json(cls, value: JSON) -> "Spec":
        """The spec that `to_json` gave.

        Raises:
            ConfigError: the value is not a spec.
        """
        if isinstance(value, Mapping) and set(value) == {"kind", "settings", "parents", "code"}:
            kind, code = value["kind"], value["code"]
            settings, parents = value["settings"], value["parents"]
            if (
                isinstance(kind, str)
                and isinstance(code, str)
                and isinstance(settings, Mapping)
                and isinstance(parents, Mapping)
            ):
                named = {role: str(parent) for role, parent in parents.items()}
                return cls(kind=kind, settings=settings, parents=named, code=code)
        raise ConfigError("not a spec: expected kind, settings, parents and code")


def is_id(text: str) -> bool:
    """Whether `text` has the form of an artefact's id.

    >>> is_id("train-0123456789abcdef"), is_id("../train-0123456789abcdef")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


def canonical(value: JSON) -> str:
    """The one JSON text of `value`: keys sorted, no spaces, floats by `repr`, tuples as lists.

    Raises:
        ConfigError: names what is not JSON, NaN, an infinity or -0.0, and where it is.

    >>> canonical({"b": (1, 2.0), "a": None})
    '{"a":null,"b":[1,2.0]}'
    """
    return json.dumps(_plain(value, ""), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: JSON, where: str) -> JSON:
    """`value` in plain containers, or an error that says where it is not JSON."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
            raise ConfigError(f"{where or 'the value'} must be finite and not -0.0, got {value}")
        return float(value)
    if isinstance(value, Mapping):
        plain: dict[str, JSON] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{where or 'the value'} must have text keys, got {key!r}")
            plain[key] = _plain(item, f"{where}.{key}" if where else key)
        return plain
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    raise ConfigError(
        f"{where or 'the value'} must be JSON (null, bool, number, text, list, mapping), "
        f"got {type(value).__name__}"
    )
