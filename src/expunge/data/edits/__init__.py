"""Edits of training data, one a file, and `EDITS`; nothing here loads PyTorch."""

from importlib.metadata import entry_points

from expunge.data.edits import badnets, relabel
from expunge.data.edits.edit import Edit
from expunge.errors import ConfigError, unknown

EDITS: tuple[Edit, ...] = (badnets.EDIT, relabel.EDIT)


def all_edits() -> dict[str, Edit]:
    """Every edit by name: `EDITS`, then what packages add as entry points `expunge.edits`.

    Raises:
        ConfigError: an added edit is no `Edit`, or takes a name that is already there.
    """
    found = {edit.name: edit for edit in EDITS}
    for entry in entry_points(group="expunge.edits"):
        edit = entry.load()
        if not isinstance(edit, Edit):
            raise ConfigError(
                f"entry point {entry.value!r} must name an expunge.Edit, got {type(edit)}"
            )
        if edit.name in found:
            raise ConfigError(f"entry point {entry.value!r}: edit {edit.name!r} exists already")
        found[edit.name] = edit
    return found


def get_edit(name: str) -> Edit:
    """The edit called `name`.

    Raises:
        ConfigError: there is none; lists those that there are.
    """
    edits = all_edits()
    if name not in edits:
        raise ConfigError(unknown("edit", name, edits))
    return edits[name]
