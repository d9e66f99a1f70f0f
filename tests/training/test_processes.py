"""Data parallelism on two processes of the CPU: all that they share is as one process does it."""

import pytest
import torch
from tests.processes import in_new_process
from tests.training.shared_work import everything, launched

from expunge.training.share import own_batches, own_share


class Process:
    def __init__(self, rank, world):
        self.global_rank, self.world_size = rank, world


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_every_sample_is_one_processs_and_none_is_without_a_sample(count, world):
    shares = [torch.arange(count)[own_share(count, Process(rank, world))] for rank in range(world)]
    assert torch.cat(shares[:count]).sort().values.tolist() == list(range(count))
    assert all(share.tolist() == [0] for share in shares[count:])


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 20, 21])
def test_batches_are_shared_whole(count, world):
    whole = torch.arange(count)
    shares = [own_batches(whole, 4, Process(rank, world)) for rank in range(world)]
    found = [batch.tolist() for share in shares if len(share) for batch in share.split(4)]
    assert sorted(found) == [batch.tolist() for batch in whole.split(4) if len(batch)]
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 4


@pytest.mark.slow
def test_two_processes_do_what_one_does(tmp_path):
    in_new_process("tests.training.shared_work", tmp_path)
    alone = everything(launched(1))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert first.keys() == second.keys() == alone.keys()
    for name, expected in alone.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(
            first[name], expected, **tolerance(name), msg=lambda text, name=name: f"{name}: {text}"
        )


def tolerance(name):
    """Sums are taken in another order: what that rounds, in the precision that they are taken in.

    Numbers are of size one, but those that lie far from zero lose as many digits as that is far.
    """
    if "bfloat16" in name:
        return {"rtol": 1e-2, "atol": 1e-2}
    if "far from zero" in name:
        return {"rtol": 1e-9, "atol": 1e-9}
    if "predicted" in name:
        return {"rtol": 1e-5, "atol": 1e-6}
    return {"rtol": 1e-10, "atol": 1e-12}
