"""Per-sample gradients against a loop of backward passes, for layers of every kind."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.curvature.conftest import flat
from tests.oracles import curvature as oracle
from torch import nn

from expunge.curvature.layers import layer_gradients
from expunge.curvature.per_sample import Network, per_sample_gradients
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.tasks.classify import TASK


def test_they_are_those_of_a_loop(model, data):
    found = per_sample_gradients(model, *data, TASK)
    torch.testing.assert_close(flat(found, model), oracle.gradients(model, *data))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["resnet8", "resnet18"])
def test_they_are_those_of_a_loop_for_the_projects_networks(name, dtype, data):
    spec = ModelSpec(name=name, num_classes=4, in_channels=2, width=0.125)
    model = build(spec, seed=0).to(dtype).eval()
    images, labels = data[0].to(dtype), data[1]
    found = per_sample_gradients(model, images, labels, TASK)
    expected = oracle.gradients(model, images, labels)
    assert found["fc.weight"].dtype == dtype
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {}
    torch.testing.assert_close(flat(found, model), expected, **tolerance)


def test_only_those_asked_for(convolutions, data):
    found = per_sample_gradients(convolutions, *data, TASK, names=["head.bias", "stem.weight"])
    assert list(found) == ["head.bias", "stem.weight"]
    expected = oracle.gradients(convolutions, *data, names=["head.bias"])
    torch.testing.assert_close(found["head.bias"], expected)


def test_layers_are_used_where_they_may_be_and_vmap_elsewhere(model, data):
    rest = {
        "Convolutions": set(),
        "Tokens": {
            "position",
            "attention.in_proj_weight",
            "attention.in_proj_bias",
            "attention.out_proj.weight",
            "attention.out_proj.bias",
        },
        "Shared": {
            "twice.weight",
            "twice.bias",
            "one.weight",
            "one.bias",
            "windows.weight",
            "windows.bias",
        },
    }
    names = [name for name, _ in model.named_parameters()]
    assert set(Network(model, names, data[0]).rest) == rest[type(model).__name__]


def test_it_leaves_no_hook_and_no_gradient(model, data):
    per_sample_gradients(model, *data, TASK)
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 2),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2, 4]),
    functions=st.sampled_from([1, 3, 20]),
)
def test_any_convolution(kernel, stride, padding, dilation, groups, functions):
    generator = torch.Generator().manual_seed(0)
    conv = nn.Conv2d(4, 4, kernel, stride, padding, dilation, groups).double()
    inputs = torch.rand((2, 4, 7, 6), generator=generator, dtype=torch.float64)
    outputs = conv(inputs)
    given_ = torch.rand(
        (2, functions, *outputs.shape[1:]), generator=generator, dtype=torch.float64
    )
    found = layer_gradients(conv, inputs, given_)
    for i in range(2):
        for k in range(functions):
            weight, bias = torch.autograd.grad(
                conv(inputs[i : i + 1]), [conv.weight, conv.bias], given_[i, k][None]
            )
            torch.testing.assert_close(found["weight"][i, k], weight)
            torch.testing.assert_close(found["bias"][i, k], bias)


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_a_layer_with_parameters_of_other_names(data):
    """Weight norm in its old form: the weight is made of two parameters, which have no rule."""
    with pytest.warns(FutureWarning):
        linear = nn.utils.weight_norm(nn.Linear(72, 4))
    model = nn.Sequential(nn.AdaptiveAvgPool2d(6), nn.Flatten(), linear).double().eval()
    images, labels = data
    found = per_sample_gradients(model, images[:, :2], labels, TASK)
    torch.testing.assert_close(flat(found, model), oracle.gradients(model, images[:, :2], labels))
