"""Anything goes in; a value or an `ExpungeError` of one line comes out."""

import copy
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from expunge.errors import ExpungeError

HUGE = [2**31, 2**63, -(2**63), 10**30, 10**400]
ODD = [
    "",
    " ",
    "\0",
    "a\nb",
    "a\x1b[0m",
    "~nobody/x",
    "[/b]",
    "../..",
    "ids:",
    "é",
    "𝟗",
    "9" * 5000,
]


def fuzz(examples: int) -> Callable[[Any], Any]:
    """The same examples in every run, however slow the machine is."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def outcome(run: Callable[[], Any]) -> Any:
    """What `run` returns, or None where it refuses in one line; anything else fails."""
    try:
        return run()
    except ExpungeError as error:
        text = str(error)
    assert text.strip()
    assert len(text.splitlines()) == 1, text
    assert len(text) < 2000, f"{text[:200]}..."
    return None


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(ODD)
leaves = (
    st.none() | st.booleans() | st.integers(-5, 300) | st.sampled_from(HUGE) | st.floats() | texts
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a value of dicts and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*here, key)
        if isinstance(item, dict | list):
            yield from places(item, (*here, key))


@st.composite
def changed(draw: Any, whole: dict[str, Any]) -> dict[str, Any]:
    """A document with something replaced, removed or added; mostly once, as faults hide others."""
    document = copy.deepcopy(whole)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2)))):
        place = draw(st.sampled_from(list(places(document)) or [("title",)]))
        inside: Any = document
        for key in place[:-1]:
            inside = inside[key]
        what = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        if what == "replace":
            inside[place[-1]] = draw(values)
        elif what == "remove":
            del inside[place[-1]]
        elif isinstance(inside, dict):
            inside[draw(texts)] = draw(values)
        else:
            inside.append(draw(values))
    return document


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for the files of all examples, which is also the working directory."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        yield Path(name)
        os.chdir(before)
