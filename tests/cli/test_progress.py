"""Progress: a bar where somebody watches, a line for each stage everywhere."""

import io
import re

import pytest
from rich.console import Console

from expunge.cli.progress import Terminal


@pytest.fixture(params=[True, False], ids=["watched", "not watched"])
def watched(request):
    return request.param


def test_a_bar_for_who_watches_and_lines_for_all(watched):
    shown = io.StringIO()
    terminal = Terminal(Console(file=shown, force_terminal=watched, width=120, highlight=False))
    for task in ("train", "ft"):
        for done in range(1, 4):
            terminal.progress(task, done, 3, 64 * done)
    terminal.progress("ga", 1, 3, 64)
    terminal.announce("unlearn-1", "unlearn class:3 [old].txt by ga", 1.25, minor=False)
    terminal.announce("train-2", "train resnet8", None, minor=False)
    terminal.announce("measure-3", "measure ua", 0.5, minor=True)
    terminal.announce("measure-4", "measure ra", 0.25, minor=True)
    terminal.summarise()
    # Without what moves and colours where somebody watches.
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    for word in ("train ", "ft ", "images/s", "left"):
        assert (word in text) == watched or word == "train "
    assert "1.2s" in text
    assert "unlearn class:3 [old].txt by ga" in text
    assert "unlearn-1" in text
    assert "found  1 in the store" in text
    assert "0.8s  measure: 2 made" in text
    if not watched:
        assert len(text.splitlines()) == 3
