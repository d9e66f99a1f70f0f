import pytest
import torch
from torch import nn

from expunge.errors import ModelError
from expunge.models.build import build
from expunge.models.check import check_outputs
from expunge.models.spec import ModelSpec

SHAPE = (3, 8, 8)


@pytest.fixture
def model():
    return build(ModelSpec(name="resnet8", num_classes=4, width=0.125))


def test_accepts_what_fits_and_leaves_no_trace(model):
    model.layer1.eval()
    modes = [module.training for module in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    check_outputs(model, SHAPE, 4)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_other_number_of_classes(model):
    with pytest.raises(ModelError, match=r"shape \(2, 10\) for 2 images, got \(2, 4\)"):
        check_outputs(model, SHAPE, 10)


def test_other_number_of_channels(model):
    model.layer1.eval()
    with pytest.raises(ModelError, match=r"does not take images of shape \(1, 8, 8\)") as caught:
        check_outputs(nn.Sequential(model.conv1), (1, 8, 8), 4)
    assert "\n" not in str(caught.value)


def test_modes_are_put_back_after_a_failure(model):
    with pytest.raises(ModelError):
        check_outputs(model, (3, 0, 0), 4)
    assert all(module.training for module in model.modules())


def test_outputs_that_are_not_a_tensor():
    class Wrapped(nn.Module):
        def forward(self, x):
            return {"logits": x}

    with pytest.raises(ModelError, match=r"must return logits.*got dict: wrap it"):
        check_outputs(Wrapped(), SHAPE, 4)


def test_a_network_that_draws_numbers_leaves_the_generator():
    class Noisy(nn.Module):
        def forward(self, x):
            return torch.randn(len(x), 4)

    state = torch.get_rng_state()
    check_outputs(Noisy(), SHAPE, 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_half_precision_networks_get_half_precision_images(model):
    check_outputs(model.bfloat16(), SHAPE, 4)
