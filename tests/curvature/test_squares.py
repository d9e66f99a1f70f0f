"""Summed squares of per-sample gradients, by gradients and by pairs of positions."""

import pytest
import torch
from torch import nn

from expunge.curvature import squares
from expunge.curvature.layers import layer_gradients
from expunge.curvature.per_sample import Network
from expunge.curvature.squares import layer_squares

CASES = {
    "one position": (nn.Linear(5, 3), (4, 5)),
    "few positions": (nn.Linear(5, 3), (4, 2, 5)),
    "many positions": (nn.Linear(5, 3), (4, 9, 5)),
    "positions in two dimensions": (nn.Linear(5, 3), (4, 2, 2, 5)),
    "convolution, few": (nn.Conv2d(4, 6, 3, stride=2), (4, 4, 5, 5)),
    "convolution, many": (nn.Conv2d(4, 6, (3, 2), padding=(2, 1), dilation=(2, 1)), (4, 4, 5, 5)),
    "convolution, groups": (nn.Conv2d(4, 6, 3, stride=2, groups=2), (4, 4, 5, 5)),
    "normalisation": (nn.BatchNorm2d(4).eval(), (4, 4, 2, 2)),
    "normalisation of vectors": (nn.LayerNorm(5), (4, 5)),
    "embedding": (nn.Embedding(7, 3), (4, 6)),
}


@pytest.mark.parametrize("at_once", [1, 200, 2**19])
@pytest.mark.parametrize("case", CASES)
def test_they_are_the_summed_squares_of_the_gradients(case, at_once, monkeypatch):
    monkeypatch.setattr(squares, "_IN_CACHE", at_once)
    layer, shape = CASES[case]
    layer = layer.double()
    generator = torch.Generator().manual_seed(0)
    if isinstance(layer, nn.Embedding):
        inputs = torch.randint(7, shape, generator=generator)
    else:
        inputs = torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5
    outputs = torch.randn(
        (4, 5, *layer(inputs).shape[1:]), generator=generator, dtype=torch.float64
    )
    expected = {
        name: each.square().sum((0, 1))
        for name, each in layer_gradients(layer, inputs, outputs).items()
    }
    found = layer_squares(layer, inputs, outputs)
    for name, _ in layer.named_parameters():
        torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize(
    ("positions", "functions", "made"), [(4, 4, False), (5, 4, True), (1, 1, False)]
)
def test_gradients_are_made_only_where_that_takes_fewer_operations(
    positions, functions, made, monkeypatch
):
    asked = []

    def watch(*given):
        asked.append(given)
        return layer_gradients(*given)

    monkeypatch.setattr(squares, "layer_gradients", watch)
    layer = nn.Linear(3, 2)
    layer_squares(layer, torch.rand(2, positions, 3), torch.rand(2, functions, positions, 2))
    assert bool(asked) is made


def test_pairs_that_cancel_give_no_negative_square():
    """Gradients of two positions that cancel exactly in theory, in float32."""
    inputs = torch.rand((50, 1, 8), generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1)
    outputs = torch.tensor([0.1, 0.2, -0.3])[None, None, :, None].expand(50, 3, 3, 4).clone()
    found = layer_squares(nn.Linear(8, 4), inputs, outputs)["weight"]
    assert float(found.min()) >= 0
    assert float(found.max()) < 1e-6


def test_memory_that_is_held_from_one_batch_to_the_next_is_no_part_of_the_result(
    convolutions, data
):
    names = [name for name, _ in convolutions.named_parameters()]
    network = Network(convolutions, names, data[0])
    held = {}
    for images in (data[0][:4], data[0][4:8], data[0][8:]):
        cotangents = torch.ones((len(images), 5, 4), dtype=torch.float64)
        expected = network.run(images).outputs(cotangents)
        found = network.run(images).outputs(cotangents, held)
        for name, each in expected.items():
            torch.testing.assert_close(found[name], each)
