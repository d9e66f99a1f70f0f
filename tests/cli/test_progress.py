"""Progress: a bar where somebody watches, a line for each stage everywhere."""

import io

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
    terminal.announce("unlearn-1", "unlearn class:3 by ga", 1.25)
    terminal.announce("train-2", "train resnet8", None)
    text = shown.getvalue()
    for word in ("train ", "ft ", "images/s", "left"):
        assert (word in text) == watched or word == "train "
    assert "1.2s" in text
    assert "unlearn class:3 by ga" in text
    assert "found" in text
    assert "train-2" in text
    if not watched:
        assert len(text.splitlines()) == 2
