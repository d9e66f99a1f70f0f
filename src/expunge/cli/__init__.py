"""The command line: thin commands over the other rooms."""

from expunge.cli.app import main

__all__ = ["main"]
