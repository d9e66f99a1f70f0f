"""The processor stands in for an accelerator."""

import pytest
import torch
from benchmarks.workload import Workload

from benchmarks import accelerator, training_loop

TINY = Workload("resnet8", (3, 8, 8), 4, width=0.25)


@pytest.fixture
def compiled(monkeypatch):
    """What was compiled; nothing is, which would take minutes."""
    seen = []

    def keep(model, **settings):
        seen.append(settings["mode"])
        return model

    monkeypatch.setattr(torch, "compile", keep)
    return seen


def test_all_is_measured_that_a_gpu_would_show(compiled, small_floors):
    found = {item.name: item for item in accelerator.figures(2, TINY, steps=2, side=64)}
    starts = (
        "memory copied",
        "matrix product, 64x64, float32",
        "convolutions, channels-last",
        "training loop, as written: resnet8",
        "training loop, compiled: resnet8",
        "training loop, compiled, over the bare step",
        "training loop, compiled, of the rate of a matrix product",
        "bare step, compiled, over",
        "prediction: resnet8",
        "prediction over",
        "ℓ1 step over",
        "step under a mask",
    )
    for start in starts:
        assert any(name.startswith(start) for name in found), start
    assert all(item.value > 0 for item in found.values())
    # The bare step, and the loop's probe and network.
    assert compiled == ["reduce-overhead", "default", "default"]


def test_utilisation_is_operations_over_those_of_the_product(compiled, small_floors, monkeypatch):
    monkeypatch.setattr(accelerator.floors, "product_rates", lambda *_: [1e9])
    monkeypatch.setattr(accelerator, "epochs", lambda *_, compiled: [0.5 if compiled else 1.0])
    monkeypatch.setattr(
        accelerator, "in_turn", lambda sides, rounds: {"as written": [0.8], "compiled": [0.4]}
    )
    found = {i.name: i.value for i in accelerator._training(TINY, 3, 1, 64)}
    operations = accelerator.floors.flops(TINY).step * 12
    name = f"training loop, compiled, of the rate of a matrix product: {TINY.name}"
    assert found[name] == pytest.approx(100 * operations / 0.5 / 1e9)
    assert found[f"training loop, compiled: {TINY.name}, batches of 4"] == 24
    assert found[f"training loop, compiled, over the bare step, compiled: {TINY.name}"] == 0.8
    assert found[f"training loop, as written, over the bare step, as written: {TINY.name}"] == 0.8
    assert found[f"bare step, compiled, over the bare step as written: {TINY.name}"] == 2


def test_one_time_an_epoch_and_the_first_left_out(monkeypatch):
    clock = iter(range(0, 1000, 7))
    monkeypatch.setattr(accelerator, "now", lambda: next(clock))
    assert accelerator.epochs(TINY, 2, 3, compiled=False) == [7, 7, 7]


def test_a_loop_that_does_not_compile_is_not_timed_as_compiled(monkeypatch):
    def fail(model, **settings):
        return lambda inputs: 1 / 0

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(UserWarning, match="training runs uncompiled"):
        accelerator.epochs(TINY, 2, 1, compiled=True)


def test_without_an_accelerator_nothing_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(accelerator, "device_kind", lambda _: "cpu")
    assert list(accelerator.figures(1)) == []
    assert "no accelerator here" in capsys.readouterr().err


def test_a_compiled_bare_step_is_compiled(compiled):
    training_loop.bare(TINY, 1, compiled=True)()
    assert compiled == ["reduce-overhead"]
