"""Make a sparse network: prune, then train under the mask."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from expunge.errors import ConfigError
from expunge.sparsity.mask import check_not_collapsed
from expunge.sparsity.pruner import PruneConfig, Pruner, TrainedPruneConfig
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context, Mask, Samples


def sparsify(
    model: nn.Module,
    samples: Samples,
    pruner: Pruner,
    config: PruneConfig,
    context: Context,
    rewind: Mapping[str, Tensor] | None = None,
) -> tuple[nn.Module, Mask]:
    """A sparse network, fully trained under its mask, and the mask.

    Each round of the pruner prunes a network and trains it again. A pruner of trained networks
    starts with `model`, then takes the network of the previous round. If `config.rewind` is set,
    training starts from `rewind`, the state dict of an early epoch of the original training
    (Frankle et al. 2020); otherwise it starts from the current weights. Weights that `context.mask`
    prunes stay pruned. A pruner of new networks takes one that `context.rebuild` makes, and
    training starts there; only the architecture of `model` is used.

    Raises:
        ConfigError: no training settings, or `config.rewind` without `rewind`.
        MaskError: a whole layer would be pruned.
        ModelError: the pruner needs a new network, and the context cannot build one.
    """
    training = context.training_settings()
    start: nn.Module | None = None
    network = model
    if pruner.when == "initial":
        context = replace(context, mask=None)
        start = network = context.fresh_model()
    elif isinstance(config, TrainedPruneConfig) and config.rewind:
        start = _rewound(model, pruner, rewind)
    everything = Stream(samples, torch.arange(len(samples)))
    sparsities = pruner.rounds(config)
    for number, sparsity in enumerate(sparsities, start=1):
        mask = pruner.run(network, samples, replace(config, sparsity=sparsity), context)
        check_not_collapsed(mask)
        context = replace(context, mask=mask)
        network = copy.deepcopy(network if start is None else start)
        label = f"train at {sparsity:.1%} sparsity"
        if len(sparsities) > 1:
            label += f", round {number} of {len(sparsities)}"
        fit(network, everything, task_loss, training, context, label=label)
    return network, mask


def _rewound(model: nn.Module, pruner: Pruner, rewind: Mapping[str, Tensor] | None) -> nn.Module:
    """A copy of `model` with the weights of `rewind`."""
    if rewind is None:
        raise ConfigError(
            f"{pruner.name} with rewind=true needs the weights of an early epoch of the "
            "original training: pass them as rewind, or set rewind=false"
        )
    start = copy.deepcopy(model)
    start.load_state_dict(dict(rewind))
    return start
