"""Where stages run: devices and precisions that are had, and those that are not."""

import pytest
import torch

from expunge.bench.workspace import Workspace, device_kind, precision_on
from expunge.errors import ConfigError
from expunge.runs import Store


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "32-true"),
        ({"avx2": True}, "32-true"),
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": True}, "bf16-mixed"),
    ],
)
def test_auto_is_bf16_only_where_the_processor_multiplies_it(monkeypatch, has, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert precision_on("cpu", "auto") == expected
    assert precision_on("cpu", "bf16-mixed") == "bf16-mixed"


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(ConfigError, match="device 'tpu' is not here: expected auto, cpu"):
        device_kind("tpu")


def test_compiled_training_is_of_one_device(tmp_path):
    with pytest.raises(ConfigError, match="compile and devices=2 cannot be had together"):
        Workspace(Store(tmp_path), device="cpu", devices=2, compiled=True)
