"""Only what batch norms count is exchanged, and both models stay as they are."""

import copy

import torch
from benchmarks.batch_statistics import with_statistics

from expunge.models.build import build
from expunge.models.spec import ModelSpec


def test_statistics_alone_are_exchanged():
    spec = ModelSpec(name="resnet8", num_classes=10, in_channels=1, width=0.25)
    one, other = build(spec, seed=0), build(spec, seed=1)
    inputs = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    other.train()(inputs)
    before = copy.deepcopy(one.state_dict()), copy.deepcopy(other.state_dict())
    found = with_statistics(one, other).state_dict()
    counted = ("running_mean", "running_var", "num_batches_tracked")
    for name, value in found.items():
        source = other if name.endswith(counted) else one
        assert torch.equal(value, source.state_dict()[name]), name
    assert not all(torch.equal(found[name], value) for name, value in before[0].items())
    for model, state in zip((one, other), before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
