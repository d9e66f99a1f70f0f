"""What each of the processes of data parallelism does of a whole, and its sum over them."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def own_share(count: int, fabric: "Fabric") -> slice:
    """Which of `count` samples are this process's: r, r + w, … for process r of w.

    One that would be left without any gets the first as a stand-in, which must not count: not every
    network takes an empty batch.
    """
    if fabric.global_rank >= count:
        return slice(0, 1)
    return slice(fabric.global_rank, None, fabric.world_size)


def own_batches(whole: Tensor, batch_size: int, fabric: "Fabric") -> Tensor:
    """The rows `(M, ...)` of this process, where whole batches are shared; maybe none.

    Cut into batches of `batch_size` again, they are every world-th batch of the whole.
    """
    batches = torch.split(whole, batch_size)[fabric.global_rank :: fabric.world_size]
    return torch.cat([whole[:0], *batches])


def sum_over_processes(tensor: Tensor, fabric: "Fabric") -> Tensor:
    """The sum of every process's tensor; it may be written over."""
    return torch.as_tensor(fabric.all_reduce(tensor, reduce_op="sum"))
