"""What makes two computations on one processor agree to the last bit."""

import pytest
import torch
from tests.cli.conftest import command
from threadpoolctl import threadpool_limits

__all__ = ["command", "one_thread"]


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Sums are taken in one order: here, and in the commands that are run from here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)
