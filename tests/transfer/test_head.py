"""A fresh last layer: the rest keeps its weights, and the source network stays as it is."""

import pytest
import torch
from torch import nn

from expunge.errors import ModelError
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.transfer.head import with_new_head

SPEC = ModelSpec(name="resnet8", num_classes=5, in_channels=1, width=0.25)
HEAD = ("fc.weight", "fc.bias")
IMAGES = torch.rand(2, 1, 8, 8)


@pytest.mark.parametrize("classes", [3, 5])
def test_only_the_last_layer_is_new(classes):
    model = build(SPEC, seed=1).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found, head = with_new_head(model, SPEC, IMAGES, classes, seed=7)
    assert set(head) == set(HEAD)
    state = found.state_dict()
    assert state.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(model.state_dict()[name], tensor)
        assert torch.equal(state[name], tensor) == (name not in HEAD)
    assert not found.training
    assert found(torch.rand(2, 1, 8, 8)).shape == (2, classes)
    again = with_new_head(model, SPEC, IMAGES, classes, seed=8)[0].state_dict()
    assert not torch.equal(again["fc.weight"], state["fc.weight"])


class Wide(nn.Sequential):
    """A network whose hidden layer grows with the number of classes."""

    def __init__(self, num_classes):
        super().__init__(nn.Flatten(), nn.Linear(64, 2 * num_classes), nn.ReLU())
        self.append(nn.Linear(2 * num_classes, num_classes))


def test_a_network_that_differs_in_more_is_refused():
    spec = ModelSpec(name="tests.transfer.test_head:Wide", num_classes=4, in_channels=1)
    with pytest.raises(ModelError, match=r"more than its last layer \(1\.bias, 1\.weight\)"):
        with_new_head(build(spec), spec, IMAGES, 3, seed=0)
