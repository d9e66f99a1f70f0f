"""Masks, pruners and the ℓ1 penalty."""

from expunge.errors import ConfigError, unknown
from expunge.sparsity import grasp, imp, omp, random_pruning, snip, synflow
from expunge.sparsity.files import load_mask, save_mask
from expunge.sparsity.l1 import GammaSchedule, add_l1_gradient, gamma_at, proximal_step
from expunge.sparsity.mask import (
    Layer,
    LayerSparsity,
    apply_mask,
    check_mask,
    check_not_collapsed,
    layer_report,
    mask_sparsity,
    prunable,
    sparsity_of,
)
from expunge.sparsity.masker import Masker
from expunge.sparsity.pruner import PruneConfig, Pruner, TrainedPruneConfig
from expunge.sparsity.ranking import keep_highest
from expunge.sparsity.thresholds import THRESHOLDS, counted_weights, sparsity_at

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


__all__ = [
    "PRUNERS",
    "THRESHOLDS",
    "GammaSchedule",
    "Layer",
    "LayerSparsity",
    "Masker",
    "PruneConfig",
    "Pruner",
    "TrainedPruneConfig",
    "add_l1_gradient",
    "apply_mask",
    "check_mask",
    "check_not_collapsed",
    "counted_weights",
    "gamma_at",
    "get_pruner",
    "keep_highest",
    "layer_report",
    "load_mask",
    "mask_sparsity",
    "proximal_step",
    "prunable",
    "save_mask",
    "sparsity_at",
    "sparsity_of",
]
