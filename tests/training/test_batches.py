import torch
from hypothesis import given
from hypothesis import strategies as st

from expunge.training.batches import shuffled_batches


@given(st.integers(1, 200), st.integers(1, 64))
def test_every_sample_once_and_no_batch_too_small(n, size):
    index = torch.arange(n) * 3
    batches = shuffled_batches(index, size, torch.Generator().manual_seed(0))
    assert torch.equal(torch.cat(batches).sort().values, index)
    if size > 1 and len(batches) > 1:
        assert all(2 <= len(batch) <= size + 1 for batch in batches)


def test_order_is_the_generators():
    index = torch.arange(50)
    orders = [
        torch.cat(shuffled_batches(index, 8, torch.Generator().manual_seed(seed)))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
