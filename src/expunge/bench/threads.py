"""How many threads a process computes with on the CPU."""

import os

import torch
from joblib import cpu_count


def share_processor(processes: int = 1) -> int:
    """Let PyTorch use this process's share of the processor, with `processes` at work; threads.

    What a container or the affinity leaves of the processor is shared, not what the machine has:
    more threads than that wait for each other. `OMP_NUM_THREADS` is an upper limit.
    """
    threads = max(1, int(cpu_count()) // processes)
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdecimal() and int(limit) > 0:
        threads = min(threads, int(limit))
    torch.set_num_threads(threads)
    return threads
