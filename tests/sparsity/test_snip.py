from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from expunge.sparsity import get_pruner
from expunge.sparsity.saliency import balanced_draw, even_batches
from expunge.sparsity.snip import connection_sensitivity

SNIP = get_pruner("snip")


def loss_of(network, samples, config, context):
    """The draw's mean cross-entropy: batch norms by the batch, dropout off, bytes as 0 to 1."""
    index = balanced_draw(samples, config.samples_per_class, context.generator("saliency"))
    network.train()
    network[4].eval()
    total = 0.0
    with torch.no_grad():
        for batch in even_batches(index, config.batch_size):
            logits = network(next(samples.inputs.batches([batch])).double() / 255)
            total += float(F.cross_entropy(logits, samples.labels[batch], reduction="sum"))
    return total / len(index)


@pytest.mark.parametrize("batch_size", [100, 11])
@pytest.mark.parametrize("layers", [("conv",), ("conv", "linear")])
def test_against_switching_every_weight(tiny, samples, context, layers, batch_size):
    config = SNIP.config(layers=layers, samples_per_class=8, batch_size=batch_size)
    scores = connection_sensitivity(tiny, samples, config, context)
    step = 1e-5
    for name, score in scores.items():
        weight = tiny.get_parameter(name).detach()
        for at in torch.cartesian_prod(*(torch.arange(size) for size in weight.shape)):
            place, before = tuple(at), float(weight[tuple(at)])
            losses = []
            for switch in (1 + step, 1 - step):
                weight[place] = before * switch
                losses.append(loss_of(tiny, samples, config, context))
            weight[place] = before
            expected = abs(losses[0] - losses[1]) / (2 * step)
            assert float(score[place]) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_the_lowest_scores_go(tiny, samples, context):
    config = SNIP.config(sparsity=0.4)
    scores = connection_sensitivity(tiny, samples, config, context)
    mask = SNIP.run(tiny, samples, config, context)
    kept = torch.cat([scores[name][entry] for name, entry in mask.items()])
    gone = torch.cat([scores[name][~entry] for name, entry in mask.items()])
    assert float(gone.max()) < float(kept.min())


def test_the_samples_and_the_seed_matter(tiny, samples, context):
    config = SNIP.config(samples_per_class=3)
    first = connection_sensitivity(tiny, samples, config, context)
    other = connection_sensitivity(tiny, samples, config, replace(context, seed=1))
    assert not torch.equal(first["0.weight"], other["0.weight"])
