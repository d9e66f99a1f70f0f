"""Where Python looks for modules: the working directory last, and only for a user's own code.

A file in it that is named like an installed module, such as `torch.py` in a downloaded folder, must
not run in that module's place. This module is imported first, so it imports almost nothing.
"""

# ruff: noqa: PTH100, PTH109, PTH120 - a pathlib.py in the working directory would run

import os
import sys


def leave_out_working_directory(*, run_as_module: bool = False) -> None:
    """Stop looking for modules in the working directory, unless PYTHONPATH names it.

    Python adds it for an empty entry of PYTHONPATH and, in front, for `python -m`.
    """
    here = working_directory()
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if here is None or here in (os.path.abspath(entry) for entry in entries if entry):
        return
    before = list(sys.path)
    if run_as_module and sys.path[0] in ("", here):
        del sys.path[0]
    if len(entries) > 1 and "" in entries:
        sys.path[:] = [path for path in sys.path if path not in ("", here)]
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if own in before and own not in sys.path:
        # Someone works on this package: it must still be found, by child processes too.
        sys.path.append(own)


def environment_of_children() -> dict[str, str]:
    """What keeps Python from adding the working directory in child processes."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(filter(None, entries))}


def working_directory() -> str | None:
    """The working directory; None if it was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None
