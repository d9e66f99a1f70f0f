import math

import pytest
import torch

from expunge.errors import DivergedError, MaskError, ModelError
from expunge.metrics.distance import weight_distance


def states():
    g = torch.Generator().manual_seed(0)
    shapes = {"conv.weight": (4, 2, 3, 3), "norm.bias": (4,), "scale": ()}
    return [{n: torch.randn(s, generator=g) for n, s in shapes.items()} for _ in range(2)]


def distance_by_loop(a, b, mask):
    total = 0.0
    for name in a:
        kept = mask.get(name, torch.ones_like(a[name], dtype=torch.bool)).flatten().tolist()
        for x, y, m in zip(
            a[name].flatten().tolist(), b[name].flatten().tolist(), kept, strict=True
        ):
            total += (m * (x - y)) ** 2
    return math.sqrt(total)


def test_it_is_the_norm_over_all_parameters():
    a, b = states()
    assert weight_distance(a, b) == pytest.approx(distance_by_loop(a, b, {}), rel=1e-12)
    assert weight_distance(a, a) == 0


def test_a_mask_restricts_the_parameters_that_have_one():
    a, b = states()
    mask = {"conv.weight": torch.arange(72).reshape(4, 2, 3, 3) % 3 == 0}
    found = weight_distance(a, b, mask)
    assert found == pytest.approx(distance_by_loop(a, b, mask), rel=1e-12)
    assert found < weight_distance(a, b)


def test_sums_are_in_float64():
    """Float32 would round the small differences away beside the large one."""
    a = {"w": torch.tensor([1e4] + [0.125] * 1000)}
    b = {"w": torch.zeros(1001)}
    assert weight_distance(a, b) == math.sqrt(1e8 + 1000 * 0.125**2)


def test_inputs_are_left_alone_and_half_precision_is_taken():
    a, b = ({n: t.to(torch.bfloat16).requires_grad_() for n, t in s.items()} for s in states())
    before = {n: t.clone() for n, t in a.items()}
    assert weight_distance(a, b) == pytest.approx(distance_by_loop(a, b, {}), rel=1e-12)
    assert all(torch.equal(before[n], a[n]) for n in a)


def test_networks_that_do_not_match_are_refused():
    a, b = states()
    with pytest.raises(ModelError, match=r"do not have the same parameters: scale"):
        weight_distance(a, {n: t for n, t in b.items() if n != "scale"})
    with pytest.raises(ModelError, match=r"norm.bias has shape \(4,\) in one network, \(5,\)"):
        weight_distance(a, b | {"norm.bias": torch.zeros(5)})
    counter = {"steps": torch.tensor(3)}
    with pytest.raises(ModelError, match=r"steps is torch.int64: expected parameters"):
        weight_distance(counter, counter)


def test_masks_that_do_not_match_are_refused():
    a, b = states()
    with pytest.raises(MaskError, match=r"lack: fc\.weight"):
        weight_distance(a, b, {"fc.weight": torch.ones(2, dtype=torch.bool)})
    with pytest.raises(MaskError, match=r"norm.bias must be bool \(4,\), got torch.bool \(3,\)"):
        weight_distance(a, b, {"norm.bias": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(MaskError, match=r"got torch.float32 \(4,\)"):
        weight_distance(a, b, {"norm.bias": torch.ones(4)})


def test_a_diverged_network_is_an_error():
    a, b = states()
    b["scale"] = torch.tensor(float("nan"))
    with pytest.raises(DivergedError, match="not finite"):
        weight_distance(a, b)
