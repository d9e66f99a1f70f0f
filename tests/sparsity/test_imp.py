import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from expunge.errors import ConfigError
from expunge.sparsity import get_pruner
from expunge.sparsity.mask import apply_mask
from expunge.types import Context

IMP = get_pruner("imp")


def test_the_papers_rounds():
    rounds = IMP.rounds(IMP.config())
    assert len(rounds) == 14
    assert rounds[-1] == 0.95
    for k, sparsity in enumerate(rounds[:-1], start=1):
        assert sparsity == pytest.approx(1 - 0.8**k)


def test_a_sparsity_that_rounds_reach_exactly_takes_no_more():
    for k in range(1, 25):
        assert len(IMP.rounds(IMP.config(sparsity=1 - 0.8**k))) == k


@given(st.floats(0, 0.9999), st.floats(0.01, 0.9))
def test_rounds_ascend_by_no_more_than_a_share_of_the_rest(sparsity, per_round):
    rounds = IMP.rounds(IMP.config(sparsity=sparsity, per_round=per_round))
    assert rounds[-1] == sparsity
    for before, after in zip((0.0, *rounds), rounds, strict=False):
        assert after > before or sparsity == 0
        assert 1 - after >= (1 - per_round) * (1 - before) * (1 - 1e-8)


def test_against_sorting_what_remains(fabric):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 1)).requires_grad_(False)
    config = IMP.config(sparsity=0.4)
    first = IMP.run(model, None, config, Context(fabric=fabric))
    apply_mask(model, first)
    # A rewound and trained network has other weights; some that are kept may be zero.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in first:
                weight.add_(0.3).mul_(first[name])
        kept = first["0.weight"].nonzero()[0]
        model[0].weight[tuple(kept)] = 0
    context = Context(fabric=fabric, mask=first)
    second = IMP.run(model, None, IMP.config(sparsity=0.6), context)
    remaining = sorted(
        abs(float(model.get_parameter(name)[tuple(at)]))
        for name in first
        for at in first[name].nonzero()
    )
    n = sum(entry.numel() for entry in first.values())
    removed = round(0.6 * n) - round(0.4 * n)
    expected = remaining[removed:]
    found = sorted(
        abs(float(model.get_parameter(name)[tuple(at)]))
        for name in second
        for at in second[name].nonzero()
    )
    assert found == expected
    assert all(bool((first[name] | ~second[name]).all()) for name in first)
    assert not second["0.weight"][tuple(kept)]


@pytest.mark.parametrize("per_round", [0, 1, -0.1, float("nan")])
def test_a_round_that_is_none_is_refused(per_round):
    with pytest.raises(ConfigError, match="per_round must be"):
        IMP.config(per_round=per_round)
