import pytest
import torch
from torch import nn

from expunge.errors import ModelError
from expunge.models import MODELS, ModelSpec, build, head

SHAPE = (3, 32, 32)


@pytest.mark.parametrize("name", MODELS)
def test_heads_of_named_networks(name):
    spec = ModelSpec(name=name, num_classes=7, width=0.05)
    found, module = head(build(spec), SHAPE)
    assert found == ("fc" if name.startswith("resnet") else "classifier")
    assert module.out_features == 7


class Model(nn.Module):
    """Hidden layers as wide as the logits, registered after the head; one runs after it too."""

    def __init__(self, finish):
        super().__init__()
        self.last = nn.Linear(4, 4)
        self.hidden = nn.Linear(3, 4)
        self.aside = nn.Linear(4, 4)
        self.unused = nn.Linear(4, 4)
        self.finish = finish

    def forward(self, x):
        return self.finish(self, self.hidden(x.mean((2, 3))))


def test_hidden_layers_as_wide_as_the_logits():
    model = Model(lambda self, h: self.last(torch.relu(h)))
    assert head(model, SHAPE) == ("last", model.last)


def test_a_layer_that_runs_after_the_head():
    def finish(self, h):
        logits = self.last(h)
        self.embedding = self.aside(h)
        return logits

    model = Model(finish)
    assert head(model, SHAPE)[0] == "last"


def test_memory_that_is_used_again_does_not_mislead():
    # Every output but the last is freed at once, so its address can come back.
    for _ in range(20):
        model = Model(lambda self, h: self.last(self.aside(self.aside(h) + 1) * 2) / 3)
        assert head(model, SHAPE)[0] == "last"


def test_a_pooled_convolution_is_a_head():
    model = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.Conv2d(5, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert head(model, SHAPE) == ("1", model[1])


def test_no_trace_is_left():
    model = build(ModelSpec(name="resnet8", num_classes=4, width=0.125))
    head(model, SHAPE)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_networks_without_a_head():
    flat = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ModelError, match="with 4 outputs, one for each logit, got none"):
        head(flat, SHAPE)
    padded = nn.Sequential(flat, nn.Linear(4, 2), nn.ConstantPad1d(1, 0.0))
    with pytest.raises(ModelError, match="got '1' with 2 outputs"):
        head(padded, SHAPE)
    with pytest.raises(ModelError, match="returns logits, got tuple"):
        head(Model(lambda self, h: (h, h)), SHAPE)
