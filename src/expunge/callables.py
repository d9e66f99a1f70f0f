"""Find and run a user's `package.module:callable`, which may be in the working directory."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from expunge.errors import ExpungeError, line_of
from expunge.search_path import working_directory


@contextmanager
def working_directory_last() -> Iterator[None]:
    """For the block, modules are also found in the working directory, after all others."""
    here = working_directory()
    if here is None or here in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)


@contextmanager
def user_code(what: str, refusal: type[ExpungeError]) -> Iterator[None]:
    """Run a user's code in the block: it prints on standard error, because output is ours.

    Raises:
        refusal: the code raised anything; the message begins with `what`.
    """
    try:
        with working_directory_last(), redirect_stdout(sys.stderr):
            yield
    except BaseException as error:
        # An interruption is not the code's fault. Commands have an exception of their own for it.
        ours = type(error).__module__.partition(".")[0] == "expunge"
        if isinstance(error, KeyboardInterrupt) or (ours and not isinstance(error, Exception)):
            raise
        raise refusal(f"{what} {line_of(error)}") from error


def find_named(name: str, refusal: type[ExpungeError]) -> Any:
    """What `package.module:name` names.

    Raises:
        refusal: it cannot be imported.
    """
    module, _, attribute = name.partition(":")
    with user_code(f"cannot import {name!r}, expected package.module:callable:", refusal):
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    return found


def find_callable(name: str, refusal: type[ExpungeError]) -> Callable[..., Any]:
    """The callable that `package.module:callable` names.

    Raises:
        refusal: it cannot be imported, or is not callable.
    """
    found = find_named(name, refusal)
    if not callable(found):
        raise refusal(f"{name!r} must be callable, got {type(found).__name__}")
    return found  # type: ignore[no-any-return]
