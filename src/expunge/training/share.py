"""Split work over the processes of data parallelism, and sum the results."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def own_share(count: int, fabric: "Fabric") -> slice:
    """This process's share of `count` samples: r, r + w, … for process r of w.

    A process with no samples gets the first one as a stand-in, which must not count: not every
    network accepts an empty batch.
    """
    if fabric.global_rank >= count:
        return slice(0, 1)
    return slice(fabric.global_rank, None, fabric.world_size)


def own_batches(whole: Tensor, batch_size: int, fabric: "Fabric") -> Tensor:
    """This process's rows `(M, ...)`, possibly none, when processes share whole batches.

    Split into batches of `batch_size` again, they are every w-th batch of the whole, for w
    processes.
    """
    batches = torch.split(whole, batch_size)[fabric.global_rank :: fabric.world_size]
    return torch.cat([whole[:0], *batches])


def sum_over_processes(tensor: Tensor, fabric: "Fabric") -> Tensor:
    """The sum of `tensor` over all processes; `tensor` may be overwritten."""
    return torch.as_tensor(fabric.all_reduce(tensor, reduce_op="sum"))
