"""From a trained network to a sparse one: a pruner's mask, weights put back, training again."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from expunge.errors import ConfigError
from expunge.sparsity.mask import check_not_collapsed
from expunge.sparsity.pruner import PruneConfig, Pruner
from expunge.training.fit import fit
from expunge.types import Context, Mask, Samples


def sparsify(
    model: nn.Module,
    samples: Samples,
    pruner: Pruner,
    config: PruneConfig,
    context: Context,
    rewind: Mapping[str, Tensor] | None = None,
) -> tuple[nn.Module, Mask]:
    """A sparse copy of `model`, trained again in full under its mask, and the mask.

    `rewind` is the state dict of an early epoch of the original training, where training starts
    again if `config.rewind` asks for it (Frankle et al. 2020); else it starts from `model`.

    Raises:
        ConfigError: no training recipe, or a rewind is asked for and there is nothing to rewind to.
        MaskError: a whole layer would be pruned away.
    """
    recipe = context.training_recipe()
    mask = pruner.run(model, samples, config, context)
    check_not_collapsed(mask)
    sparse = copy.deepcopy(model)
    if config.rewind:
        if rewind is None:
            raise ConfigError(
                f"{pruner.name} with rewind=true needs the weights of an early epoch of the "
                "original training: pass them as rewind, or set rewind=false"
            )
        sparse.load_state_dict(dict(rewind))
    everything = torch.arange(len(samples))
    fit(sparse, samples, everything, recipe, replace(context, mask=mask), task="train sparse")
    return sparse, mask
