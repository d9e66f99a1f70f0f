"""Masks, pruners and the ℓ1 penalty."""

from expunge.errors import ConfigError, unknown
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
"""Every pruner there is."""


def get_pruner(name: str) -> Pruner:
    """The pruner of that name.

    Raises:
        ConfigError: there is none.
    """
    for pruner in PRUNERS:
        if pruner.name == name:
            return pruner
    raise ConfigError(unknown("pruner", name, (pruner.name for pruner in PRUNERS)))
