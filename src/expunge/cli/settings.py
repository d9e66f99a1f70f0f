"""Dataclass fields as flags of a command: read from its extra arguments, listed in its help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from typer.core import TyperCommand

from expunge.cli.output import show_table


@dataclass(frozen=True)
class Flags:
    """The fields of a dataclass that are flags."""

    cls: type[Any]
    title: str
    """Their heading in the help."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """By field: its flag, where the flag has another name."""
    left_out: frozenset[str] = frozenset()
    """Fields that are not flags."""

    def names(self) -> dict[str, str]:
        """By flag, without dashes: the field."""
        return {
            self.renamed.get(each.name, each.name): each.name
            for each in fields(self.cls)
            if each.name not in self.left_out
        }


def read_flags(words: Sequence[str], groups: Sequence[Flags], where: str) -> list[dict[str, Any]]:
    """For each group, the fields that command-line arguments set, as typed values.

    Raises:
        ConfigError: a value without a flag, an unknown flag, or a value of the wrong type.
    """
    from expunge.config import parse_flags
    from expunge.errors import ConfigError, unknown

    sorted_words: list[list[str]] = [[] for _ in groups]
    known = [flag for group in groups for flag in group.names()]
    current: list[str] | None = None
    for word in words:
        if word.startswith("--"):
            name, separator, text = word[2:].partition("=")
            flag = name.replace("-", "_")
            place = next((n for n, group in enumerate(groups) if flag in group.names()), None)
            if place is None:
                raise ConfigError(f"{where}: {unknown('setting', flag, known)}")
            current = sorted_words[place]
            current.append(f"--{groups[place].names()[flag]}{separator}{text}")
        elif current is None:
            raise ConfigError(f"{where}: expected --setting value, got {word!r}")
        else:
            current.append(word)
    return [
        parse_flags(group.cls, found, where)
        for group, found in zip(groups, sorted_words, strict=True)
    ]


def by_prefix(words: Sequence[str], prefixes: Sequence[str]) -> dict[str, list[str]]:
    """Command-line arguments, by the prefix of their flag and without it; "" for those without one.

    >>> by_prefix(["--lr", "0.1", "--prune.rewind", "false"], ["prune"])
    {'': ['--lr', '0.1'], 'prune': ['--rewind', 'false']}
    """
    found: dict[str, list[str]] = {"": [], **{prefix: [] for prefix in prefixes}}
    current = found[""]
    for word in words:
        if word.startswith("--"):
            prefix, dot, _ = word[2:].partition(".")
            named = bool(dot) and prefix in prefixes
            current = found[prefix if named else ""]
            current.append(f"--{word[3 + len(prefix) :]}" if named else word)
        else:
            current.append(word)
    return found


def command_with(groups: Callable[[], Sequence[Flags]]) -> type[TyperCommand]:
    """A command whose help lists the flags of `groups`, which are loaded only for the help."""

    class SettingsCommand(TyperCommand):
        """A command whose help also lists dataclass fields."""

        def format_help(self, ctx: Any, formatter: Any) -> None:
            """Print the help, then the settings."""
            super().format_help(ctx, formatter)
            for group in groups():
                _print_flags(group)

    return SettingsCommand


def _print_flags(group: Flags) -> None:
    from rich import box
    from rich.table import Table

    from expunge.cli.listing import settings

    flag_of = {name: flag for flag, name in group.names().items()}
    table = Table(title=group.title, title_justify="left", box=box.SIMPLE, show_header=False)
    table.add_column(no_wrap=True, style="bold cyan")
    table.add_column()
    for row in settings(group.cls):
        if row["name"] in flag_of:
            default = "" if row["default"] in (None, "") else f" [default: {row['default']}]"
            flag = "--" + flag_of[row["name"]].replace("_", "-")
            table.add_row(flag, f"{row['help']}{default}")
    show_table(table)
