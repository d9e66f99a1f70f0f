"""Where nodes run: devices and precisions that are had, and those that are not."""

from typing import get_args

import pytest
import torch

from expunge.cli.options import session
from expunge.errors import ConfigError
from expunge.graph.runtime import Place, Runtime, device_kind, precision_on
from expunge.settings import PRECISIONS


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
    runtime = Runtime(Place(device="cpu"))
    assert [runtime.precision_of(asked) for asked in (None, "auto")] == [None, expected]


@pytest.mark.parametrize(
    ("here", "expected"), [(None, "auto or cpu$"), ("mps", "auto, cpu or mps$")]
)
def test_a_device_that_is_not_here_is_refused(monkeypatch, here, expected):
    found = None if here is None else torch.device(here)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: found)
    with pytest.raises(ConfigError, match=f"device 'tpu' is not available: expected {expected}"):
        device_kind("tpu")


def test_a_precision_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="64-false"):
        Runtime(Place(device="cpu")).fabric("64-false")


def test_the_precisions_are_those_of_fabric():
    from lightning_fabric.plugins.precision import precision

    names = {
        *get_args(precision._PRECISION_INPUT_STR),
        *get_args(precision._PRECISION_INPUT_STR_ALIAS),
    }
    assert set(PRECISIONS) == {"auto", *names}


def test_compiled_training_is_of_one_device(tmp_path):
    with pytest.raises(ConfigError, match="compile and devices=2 cannot be combined"):
        session(tmp_path, "cpu", 2, compiled=True)
