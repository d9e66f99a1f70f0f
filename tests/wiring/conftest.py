"""Commands, and what makes two computations on one processor agree to the last bit."""

import json

import pytest
import torch
from tests.cli.conftest import command
from threadpoolctl import threadpool_limits

__all__ = ["answer", "command", "one_thread"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums are taken in one order: here, and in the commands that are run from here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture
def answer(command, tmp_path):
    """The JSON that a command over a store prints."""

    def run(*words):
        code, out, err = command(*words, "--store", tmp_path / "runs", "--device", "cpu", "--json")
        assert code == 0, err
        return json.loads(out)

    return run
