"""A device whose tensors do not mix with the processor's, as a GPU's, gives the same to the bit."""

import subprocess
import sys

import pytest
import torch
from tests.devices.work import PARTS, results
from tests.processes import ROOT, in_new_process


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_another_device_gives_what_the_processor_gives(part, tmp_path):
    in_new_process("tests.devices.work", part, tmp_path)
    there = torch.load(tmp_path / "results.pt", weights_only=False)
    here = results(part, tmp_path / "here", "cpu")
    assert here
    assert there.keys() == here.keys()
    for name, expected in here.items():
        if isinstance(expected, torch.Tensor):
            assert torch.equal(there[name], expected), name
        else:
            assert there[name] == expected, name


def test_tensors_of_two_devices_do_not_mix():
    code = (
        "import torch; from tests.devices.second import *\n"
        "with on_second_device():\n"
        "    one = torch.ones(3, device=DEVICE)\n"
        "    assert (one + one.cpu().to(DEVICE)).device == DEVICE\n"
        "    one + torch.ones(3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "aten::add.Tensor: tensors of several devices" in done.stderr
