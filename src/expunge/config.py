"""Convert frozen dataclasses from TOML tables and command-line flags, and back."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from expunge.errors import ConfigError, shown, unknown
from expunge.settings import check_size

T = TypeVar("T")


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """An instance of `cls` from `values`; integers become floats and lists tuples where needed.

    Raises:
        ConfigError: an unknown field, a value of the wrong type, or one that `cls` refuses.
    """
    hints = get_type_hints(cls)
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise ConfigError(f"{where}: {unknown('setting', name, known)}")
    for name, field in known.items():
        if name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: {name} is missing: expected {_described(hints[name])}")
    try:
        return cls(**{name: _typed(value, hints[name], name) for name, value in values.items()})
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def from_flags(cls: type[T], flags: Sequence[str], where: str) -> T:
    """An instance of `cls` from `--name value` and `--name=value` flags; `--name` alone is true.

    Raises:
        ConfigError: an argument that is not a flag, an unknown field, or a value of the wrong type.
    """
    return from_mapping(cls, parse_flags(cls, flags, where), where)


def parse_flags(cls: type[Any], flags: Sequence[str], where: str) -> dict[str, Any]:
    """The fields of `cls` that command-line flags set, as typed values.

    Raises:
        ConfigError: an argument that is not a flag, an unknown field, or a value of the wrong type.
    """
    hints = get_type_hints(cls)
    known = [field.name for field in fields(cls)]
    values: dict[str, Any] = {}
    words = list(flags)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise ConfigError(f"{where}: expected --setting value, got {word!r}")
        name, separator, text = word[2:].partition("=")
        name = name.replace("-", "_")
        if name not in known:
            raise ConfigError(f"{where}: {unknown('setting', name, known)}")
        if not separator:
            has_value = bool(words) and not words[0].startswith("--")
            if not has_value and hints[name] is not bool:
                raise ConfigError(f"{where}: --{name} needs a value")
            text = words.pop(0) if has_value else "true"
        values[name] = _parsed(text, hints[name], name, where)
    return values


def to_mapping(config: object) -> dict[str, Any]:
    """The fields of a dataclass for JSON and TOML: fields that are None left out, tuples as lists.

    >>> from expunge.types import Augmentation
    >>> to_mapping(Augmentation(crop_padding=4))
    {'crop_padding': 4, 'flip': False}
    """
    if not is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"expected a dataclass instance, got {config!r}")
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _described(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    return f"a value of type {getattr(hint, '__name__', hint)}"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _typed(value: Any, hint: Any, name: str) -> Any:  # noqa: PLR0911, PLR0912 - one a kind
    """`value` converted to the type `hint`, without loss."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        problems = []
        for option in args:
            if option is type(None):
                continue
            try:
                return _typed(value, option, name)
            except ConfigError as error:
                problems.append(error)
        raise problems[0]
    if origin is Literal:
        # By type, too: true is not 1.
        if not any(value == each and type(value) is type(each) for each in args):
            choices = ", ".join(map(str, args))
            raise ConfigError(f"{name} must be one of {choices}, got {shown(value)}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} must be a list, got {shown(value)}")
        return tuple(_typed(item, args[0], name) for item in value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name} must be a table, got {shown(value)}")
        return {key: _typed(item, args[1], f"{name}.{key}") for key, item in value.items()}
    if hint is Any:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and hint in (int, float):
        check_size(name, value)
        return hint(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{name} must be of type {hint.__name__}, got {shown(value)}")
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{name} must be a text without NUL characters, got {shown(value)}")
    return value


def _parsed(text: str, hint: Any, name: str, where: str) -> Any:
    """The value of a flag, parsed from its text."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if text == "none":
            return None
        options = [option for option in args if option is not type(None)]
        return _parsed(text, options[0], name, where)
    if origin is tuple:
        parts = [part for part in text.split(",") if part]
        return tuple(_parsed(part, args[0], name, where) for part in parts)
    if hint is bool:
        if text not in ("true", "false"):
            raise ConfigError(f"{where}: {name} must be true or false, got {text!r}")
        return text == "true"
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            kind = "a whole number" if hint is int else "a number"
            raise ConfigError(f"{where}: {name} must be {kind}, got {shown(text)}") from None
    return text
