"""A command line, run in this process."""

import sys

import pytest

from expunge.cli import main


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command line: exit code, standard output, standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["expunge", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return run


def ok(result):
    """The standard output of a command, which has to succeed."""
    code, out, err = result
    assert code == 0, err
    return out
