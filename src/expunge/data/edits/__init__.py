"""Edits of training data, one per file, and `EDITS`; this module does not load PyTorch."""

from expunge.data.edits import (
    badnets,
    blended,
    clean_label_patch,
    correlate,
    duplicate,
    relabel,
    warped,
)
from expunge.data.edits.edit import Edit
from expunge.data.edits.own import is_own, own_edit
from expunge.errors import ConfigError, unknown
from expunge.plugins import with_added

EDITS: tuple[Edit, ...] = (
    badnets.EDIT,
    relabel.EDIT,
    blended.EDIT,
    warped.EDIT,
    clean_label_patch.EDIT,
    correlate.EDIT,
    duplicate.EDIT,
)


def all_edits() -> dict[str, Edit]:
    """Every edit by name: `EDITS`, then what packages add as entry points `expunge.edits`.

    Raises:
        ConfigError: an added edit is no `Edit`, or takes a name that is already there.
    """
    return with_added("expunge.edits", Edit, EDITS)


def get_edit(name: str) -> Edit:
    """The edit called `name`, or that `package.module:name` names.

    Raises:
        ConfigError: there is none; lists those that there are.
    """
    if is_own(name):
        return own_edit(name)
    edits = all_edits()
    if name not in edits:
        raise ConfigError(unknown("edit", name, edits))
    return edits[name]
