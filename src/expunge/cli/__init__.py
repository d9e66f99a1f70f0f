"""The command line: thin commands over the other rooms."""

from expunge.search_path import leave_out_working_directory

leave_out_working_directory()

from expunge.cli.interruption import interruptible  # noqa: E402

__all__ = ["main"]


def main() -> None:
    """Run the command line; errors are one line on standard error and exit code 2."""
    interruptible(_run)


def _run() -> None:
    # Imported here, because a signal may arrive while this imports the commands.
    from expunge.cli.app import main

    main()
