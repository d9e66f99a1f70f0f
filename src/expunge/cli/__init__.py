"""The command line: thin commands over the other rooms."""

from expunge.search_path import leave_out_working_directory

leave_out_working_directory()

from expunge.cli.app import main  # noqa: E402

__all__ = ["main"]
