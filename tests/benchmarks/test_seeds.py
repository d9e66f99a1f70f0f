"""Seeds side by side in one network compute what each of them does alone."""

import pytest
import torch
from torch.nn import functional as F

from benchmarks import seeds


def test_seeds_side_by_side_are_trained_as_one_by_one(monkeypatch):
    monkeypatch.setitem(seeds.RECIPE, "lr", 0.1)
    images, labels = seeds.batches(6)
    together = seeds.side_by_side_network(seeds.networks())
    side_by_side = images.transpose(0, 1).flatten(1, 2)
    seeds.train(together, lambda: seeds.summed_losses(together(side_by_side), labels), 3)
    found = together(side_by_side)
    for seed in range(seeds.SEEDS):
        alone, (mine, named) = seeds.network(seed), seeds.batch_of(seed, 6)
        before = alone(mine).detach()
        seeds.train(alone, lambda: F.cross_entropy(alone(mine), named), 3)  # noqa: B023
        torch.testing.assert_close(found[seed], alone(mine), rtol=1e-3, atol=1e-3)
        assert (found[seed] - before).abs().max() > 0.1


@pytest.mark.slow
def test_every_way_is_measured():
    names = [item.name for item in seeds.figures(1, 4, 1)]
    assert len(names) == 3
    ways = zip(("grouped", "vmap", "processes"), names, strict=True)
    assert all(way in name for way, name in ways)
