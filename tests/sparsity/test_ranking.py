import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from expunge.errors import DivergedError, MaskError
from expunge.sparsity.ranking import keep_highest


def oracle(scores, sparsity):
    """A full stable sort: the first of equals is pruned first."""
    flat = [value for score in scores for value in score]
    order = sorted(range(len(flat)), key=lambda i: flat[i])
    pruned = set(order[: round(sparsity * len(flat))])
    kept = iter(i not in pruned for i in range(len(flat)))
    return [[next(kept) for _ in score] for score in scores]


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(
        # Few different values, so that there are many ties.
        st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0]), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    ),
    sparsity=st.floats(0, 1, exclude_max=True),
)
def test_against_a_full_sort(scores, sparsity):
    expected = oracle(scores, sparsity)
    tensors = {f"{i}": torch.tensor(score) for i, score in enumerate(scores)}
    if all(any(layer) for layer in expected):
        mask = keep_highest(tensors, sparsity)
        assert [mask[name].tolist() for name in tensors] == expected
    else:
        with pytest.raises(MaskError, match="layer collapse"):
            keep_highest(tensors, sparsity)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_shapes_and_counts_in_every_precision(dtype):
    generator = torch.Generator().manual_seed(0)
    scores = {
        "a": torch.rand(8, 3, 3, 3, generator=generator).to(dtype),
        "b": torch.rand(8, 8, 1, 1, generator=generator).to(dtype),
    }
    mask = keep_highest(scores, 0.7)
    assert {name: entry.shape for name, entry in mask.items()} == {
        name: score.shape for name, score in scores.items()
    }
    assert sum(int((~entry).sum()) for entry in mask.values()) == round(0.7 * 280)
    # Entries own their memory: one of them does not keep all others alive.
    assert mask["b"].untyped_storage().nbytes() == 64


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(DivergedError, match=r"expected finite scores.* in b$"):
        keep_highest({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])}, 0.5)


def test_what_is_pruned_already_goes_first():
    scores = {"a": torch.tensor([5.0, 4.0, 0.0]), "b": torch.tensor([3.0, 1.0, 2.0])}
    within = {"a": torch.tensor([True, False, True]), "b": torch.tensor([True, True, True])}
    mask = keep_highest(scores, 1 / 3, within=within)
    assert mask["a"].tolist() == [True, False, False]
    assert mask["b"].tolist() == [True, True, True]
    same = keep_highest(scores, 1 / 6, within=within)
    assert all(torch.equal(same[name], within[name]) for name in within)


def test_a_mask_that_cannot_be_kept_within_is_refused():
    scores = {"a": torch.arange(4.0)}
    half = {"a": torch.tensor([True, True, False, False])}
    with pytest.raises(MaskError, match=r"already pruned to 0\.5000.*above that, got 0\.25"):
        keep_highest(scores, 0.25, within=half)
    with pytest.raises(MaskError, match="already pruned in other layers: expected b, got a"):
        keep_highest(scores, 0.5, within={"b": half["a"]})
