import pytest
import torch
from benchmarks.floors import convolutions, count
from benchmarks.workload import Workload
from torch import nn

from benchmarks import floors

WORK = Workload("resnet8", (3, 8, 8), 4, width=0.5)


def test_operations_of_a_convolution_and_a_linear_layer():
    batch, inner, outer, side, classes = 5, 3, 4, 6, 7
    model = nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1), nn.Flatten(), nn.Linear(outer * side**2, classes)
    )
    images = torch.rand(batch, inner, side, side)
    found = count(model, images, torch.zeros(batch, dtype=torch.int64))
    convolution = 2 * batch * outer * side**2 * inner * 9
    linear = 2 * batch * outer * side**2 * classes
    assert found.forward == convolution + linear
    # Gradients of both weights, and of what comes into the linear layer.
    assert found.backward == convolution + 2 * linear
    assert found.step == found.forward + found.backward


def test_all_convolutions_of_a_network_are_found(small_floors):
    model = WORK.build()
    calls = convolutions(model, torch.rand(1, *WORK.shape))
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert [call.weight for call in calls] == [tuple(layer.weight.shape) for layer in layers]
    rows = [call.images[2] // call.stride[0] for call in calls]
    by_hand = sum(
        2 * row**2 * torch.Size(call.weight).numel() for row, call in zip(rows, calls, strict=True)
    )
    head = 2 * model.fc.weight.numel()
    assert floors.flops(WORK).forward == by_hand + head


def test_rates_and_floors_are_positive_and_in_proportion(small_floors):
    assert min(floors.copy_rates("cpu")) > 0
    assert min(floors.product_rates(torch.float32, "cpu", floors.SIDE)) > 0
    assert min(floors.convolution_rates(WORK)) > 0
    assert floors.memory_seconds(2e9) == 2e9 / max(floors.copy_rates("cpu"))
    assert floors.product_seconds(3e9) == 3e9 / max(
        floors.product_rates(torch.float32, "cpu", floors.SIDE)
    )
    forward = floors.forward_seconds(WORK, 10)
    assert forward == 10 * floors.flops(WORK).forward / max(floors.convolution_rates(WORK))
    parts = forward + floors.backward_seconds(WORK, 10)
    assert floors.step_seconds(WORK, 10) == pytest.approx(parts)


def test_the_rates_count_what_is_done(small_floors, monkeypatch):
    """In one second for all, a rate is the number of operations, or of bytes."""
    monkeypatch.setattr(floors, "in_turn", lambda sides, rounds: {name: [1.0] for name in sides})
    assert floors.product_rates(torch.float32, "cpu", floors.SIDE) == [2 * floors.SIDE**3]
    assert floors.copy_rates("cpu") == [2 * 4 * floors.COPIED]
    head = 2 * WORK.build().fc.weight.numel()
    assert floors.convolution_rates(WORK) == [WORK.batch * (floors.flops(WORK).forward - head)]
