"""The overlap of masks against counting by hand."""

import pytest
import torch

from expunge.errors import MaskError
from expunge.sparsity.overlap import mask_overlap


def mask(**rows):
    return {name: torch.tensor(row, dtype=torch.bool) for name, row in rows.items()}


def test_it_is_counted_over_all_layers():
    first = mask(a=[[1, 1], [0, 0]], b=[1, 0, 0, 0])
    second = mask(a=[[1, 0], [1, 0]], b=[1, 1, 0, 0])
    found = mask_overlap(first, second)
    assert found.jaccard == 2 / 5
    assert found.kept == 2 / 3
    assert found.chance == 4 / 8
    assert found.chance_by_layer == pytest.approx((2 * 2 / 4 + 1 * 2 / 4) / 3)


def test_chance_is_what_masks_by_lot_share():
    generator = torch.Generator().manual_seed(0)

    def by_lot():
        return {
            "a": torch.rand(30000, generator=generator) < 0.9,
            "b": torch.rand(30000, generator=generator) < 0.1,
        }

    found = mask_overlap(by_lot(), by_lot())
    assert found.kept == pytest.approx(found.chance_by_layer, abs=0.02)
    assert found.chance == pytest.approx(0.5, abs=0.02)


def test_a_mask_overlaps_wholly_with_itself():
    same = mask(a=[1, 0, 1])
    assert mask_overlap(same, same).jaccard == 1


@pytest.mark.parametrize(
    ("other", "message"), [(mask(b=[1, 0]), "of the same weights"), (mask(a=[1, 0]), "no weight")]
)
def test_what_cannot_be_compared_is_refused(other, message):
    with pytest.raises(MaskError, match=message):
        mask_overlap(mask(a=[0, 0]), other)
