"""Masks, pruners and the ℓ1 penalty."""

from expunge.errors import ConfigError, unknown
from expunge.plugins import with_added
from expunge.sparsity import grasp, imp, omp, random_pruning, snip, synflow
from expunge.sparsity.pruner import Pruner

PRUNERS: tuple[Pruner, ...] = (
    omp.PRUNER,
    imp.PRUNER,
    synflow.PRUNER,
    snip.PRUNER,
    grasp.PRUNER,
    random_pruning.PRUNER,
)
"""All built-in pruners."""


def all_pruners() -> dict[str, Pruner]:
    """Every pruner by name: `PRUNERS`, then the entry points in the group `expunge.pruners`.

    Raises:
        ConfigError: an entry point is not a `Pruner`, or reuses a name.
    """
    return with_added("expunge.pruners", Pruner, PRUNERS)


def get_pruner(name: str) -> Pruner:
    """The pruner called `name`.

    Raises:
        ConfigError: the name is unknown; lists the known ones.
    """
    pruners = all_pruners()
    if name not in pruners:
        raise ConfigError(unknown("pruner", name, pruners))
    return pruners[name]
