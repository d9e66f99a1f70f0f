"""Compiled training computes the same, compiles once, and does without where it cannot."""

import functools
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from tests.conftest import small_network

from expunge.settings import Training
from expunge.training.fit import Penalty, fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream

# Of 40 samples: two batches of the usual size, and one of 8.
RECIPE = Training(epochs=3, batch_size=16, lr=0.05, schedule="constant", crop_padding=1)
REAL = torch.compile


@pytest.fixture
def captured(monkeypatch):
    """The graphs that are captured; nothing is generated for the processor, which takes minutes."""
    graphs = []

    def backend(graph, inputs):
        graphs.append([tuple(one.shape) for one in inputs])
        return graph

    monkeypatch.setattr(torch, "compile", functools.partial(REAL, backend=backend))
    torch.compiler.reset()
    yield graphs
    torch.compiler.reset()


def trained(samples, context, training=RECIPE, seed=0):
    model = small_network()
    mask = {
        name: (torch.arange(p.numel()) % 3 > 0).view(p.shape)
        for name, p in model.named_parameters()
        if name in ("conv.weight", "conv2.weight")
    }
    context = replace(context, mask=mask, augmentation=training.augmentation, seed=seed)
    fit(
        model,
        Stream(samples, torch.arange(40)),
        task_loss,
        training,
        context,
        penalty=Penalty(gamma=1e-3),
    )
    return model.state_dict()


def close(a, b):
    for name, x in a.items():
        torch.testing.assert_close(x, b[name], rtol=1e-4, atol=1e-6, msg=name)


def test_a_compiled_network_is_trained_as_any_and_is_compiled_once(samples, context, captured):
    plain = trained(samples, context)
    assert not captured
    close(trained(samples, replace(context, compiled=True)), plain)
    (shapes,) = captured
    assert any(shape[0] == 16 for shape in shapes), "one graph, of the usual batch"
    # Another model of the same architecture needs no other.
    trained(samples, replace(context, compiled=True), seed=1)
    assert len(captured) == 1


def test_in_mixed_precision_too_it_is_compiled_once(samples, context, captured):
    """Fabric gives the network its inputs in bf16: the probe must be of that dtype."""
    half = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    trained(samples, replace(context, fabric=half, compiled=True))
    assert len(captured) == 1


def test_streams_of_two_sizes_are_compiled_once_each(samples, context, captured):
    """Of the retained 16, 16 and 8 a pass, of the forgotten 6, 6 and 5: odd batches are not."""

    def loss(step):
        return {"retain": step.losses("retain"), "forget": -0.1 * step.losses("forget")}

    streams = {
        "retain": Stream(samples, torch.arange(40)),
        "forget": Stream(samples, torch.arange(40, 57), 6),
    }
    found = []
    for compiled in (False, True):
        model = small_network()
        fit(model, streams, loss, RECIPE, replace(context, compiled=compiled))
        found.append(model.state_dict())
    close(*found)
    sizes = [next(shape[0] for shape in shapes if shape[1:] == (1, 8, 8)) for shapes in captured]
    assert sizes == [16, 6]


def test_fewer_samples_than_a_batch_are_not_worth_it(samples, context, captured):
    recipe = replace(RECIPE, batch_size=64)
    close(
        trained(samples, replace(context, compiled=True), recipe),
        trained(samples, context, recipe),
    )
    assert not captured


def test_without_a_compiler_it_trains_all_the_same(samples, context, monkeypatch):
    def broken(graph, inputs):
        raise OSError("no compiler here\nand a long story")

    monkeypatch.setattr(torch, "compile", functools.partial(REAL, backend=broken))
    torch.compiler.reset()
    plain = trained(samples, context)
    with pytest.warns(UserWarning, match="training runs uncompiled, and slower") as seen:
        found = trained(samples, replace(context, compiled=True))
    assert "\n" not in str(seen[0].message)
    for name, x in found.items():
        assert torch.equal(x, plain[name]), name
