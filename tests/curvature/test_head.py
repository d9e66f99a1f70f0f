"""The parameters that make the logits."""

import pytest
import torch
from torch import nn

from expunge.curvature.head import head_parameters
from expunge.errors import ModelError
from expunge.models.build import build
from expunge.models.networks import MODELS
from expunge.models.spec import ModelSpec

IMAGES = torch.zeros((1, 3, 8, 8))


def test_a_linear_head_with_hidden_layers_as_wide():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 4))
    assert set(head_parameters(model, IMAGES)) == {"3.weight", "3.bias"}


def test_frozen_heads_are_found():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 4))
    model[3].requires_grad_(False)
    assert set(head_parameters(model, IMAGES)) == {"3.weight", "3.bias"}
    assert not model[3].weight.requires_grad


def test_a_convolution_before_a_pool_and_a_temperature():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(3, 5, 3)
            self.last = nn.Conv2d(5, 4, 1, bias=False)
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.scale * self.last(self.body(x).relu()).mean((2, 3))

    assert head_parameters(Pooled(), IMAGES) == ("last.weight",)


@pytest.mark.parametrize(
    "name",
    [name for name, each in MODELS.items() if "images" in each.inputs and each.task == "classify"],
)
def test_the_projects_networks(name):
    model = build(ModelSpec(name=name, num_classes=7, width=0.125), seed=0).eval()
    found = head_parameters(model, torch.zeros((1, 3, 32, 32)))
    last = "fc" if name.startswith("resnet") else "classifier"
    assert set(found) == {f"{last}.weight", f"{last}.bias"}
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_a_layer_that_runs_after_the_head_is_none():
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(192, 4)
            self.aside = nn.Linear(192, 4)

        def forward(self, x):
            logits = self.last(x.flatten(1))
            self.embedding = self.aside(x.flatten(1))
            return logits

    assert set(head_parameters(Aside(), IMAGES)) == {"last.weight", "last.bias"}


def test_a_network_without_one():
    with pytest.raises(ModelError, match="a row for each of 192 classes, found none"):
        head_parameters(nn.Sequential(nn.Flatten(), nn.Softmax(1)), IMAGES)


def test_what_lies_before_a_head_is_not_of_it():
    hidden = [nn.Linear(192, 4), nn.BatchNorm1d(4)]
    model = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(4, 4)).eval()
    assert set(head_parameters(model, IMAGES)) == {"3.weight", "3.bias"}
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 4))
    assert set(head_parameters(model, IMAGES)) == {"2.weight", "2.bias"}


def test_parameters_that_are_no_floats_are_passed_over():
    class Chosen(nn.Module):
        def __init__(self):
            super().__init__()
            self.channels = nn.Parameter(torch.tensor([2, 0, 1]), requires_grad=False)
            self.last = nn.Linear(192, 4)

        def forward(self, x):
            return self.last(x[:, self.channels].flatten(1))

    assert set(head_parameters(Chosen(), IMAGES)) == {"last.weight", "last.bias"}


def test_the_model_is_left_as_it_is():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(192, 4))
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert set(head_parameters(model, torch.rand(1, 3, 8, 8))) == {"3.weight", "3.bias"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model] == [True, False, True, True]
