import copy
import threading

import pytest
import torch
from tests.networks_of_different_build import BUILDS
from torch import nn
from torch.nn.parameter import is_lazy

from expunge.errors import ModelError
from expunge.models.build import build
from expunge.models.check import check_model, check_outputs, check_storable
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
    with pytest.raises(ModelError, match=r"must return logits.*got dict: wrap it"):
        check_outputs(Changed(lambda model, logits: {"logits": logits}), SHAPE, 4)


def test_a_network_that_draws_numbers_leaves_the_generator():
    state = torch.get_rng_state()
    check_outputs(Changed(lambda model, logits: torch.randn_like(logits)), SHAPE, 4)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_in_another_precision_are_refused_by_name(model, dtype):
    named = str(dtype).removeprefix("torch.")
    with pytest.raises(ModelError, match=rf"conv1\.weight \({named}\).*and \d+ more: convert"):
        check_outputs(model.to(dtype), SHAPE, 4)
    model.float().fc.to(dtype)
    with pytest.raises(ModelError, match=rf"got fc\.weight \({named}\), fc\.bias \({named}\):"):
        check_outputs(model, SHAPE, 4)


def check(name, change=lambda model: None):
    """Check a network of those of different build."""
    (build,) = [each for each in BUILDS if each.name == name]
    model, samples = build.build(), build.samples()
    change(model)
    state = {name: copy.deepcopy(value) for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    try:
        return check_model(model, samples.inputs.shape, 3, samples.inputs.kind)
    finally:
        assert [module.training for module in model.modules()] == modes
        assert torch.equal(torch.get_rng_state(), random)
        for name, value in model.state_dict().items():
            if isinstance(value, torch.Tensor) and not is_lazy(value):
                assert torch.equal(value, state[name]), name
        assert all(parameter.grad is None for parameter in model.parameters())


# Attention with a mask warns that nested tensors are new.
@pytest.mark.filterwarnings("ignore:.*nested tensors")
@pytest.mark.parametrize(
    "name",
    ["batch_norm", "frozen_batch_norm", "dropout", "noise", "changes_a_buffer", "conv3d",
     "spectral_norm", "stochastic_depth", "recurrent", "gated_recurrent", "attention",
     "transformer", "embedding", "tied", "extra_state", "custom_autograd", "inplace_relu"],
)  # fmt: skip
def test_what_can_be_trained_and_measured_passes_unchanged(name):
    notes = check(name)
    assert len(notes) == (name == "frozen_batch_norm")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("all_frozen", r"every parameter of the network is frozen \(0\.weight, 0\.bias, "),
        ("float64", r"expected float32 weights, got 0\.weight \(float64\)"),
        ("bfloat16", r"expected float32 weights, got 0\.weight \(bfloat16\)"),
        ("mixed_precision", r"got 6\.weight \(float64\), 6\.bias \(float64\): convert"),
        ("complex_weights", r"got 1\.filter \(complex64\)"),
        ("lazy", r"3\.weight, 3\.bias have no shape yet: build the layers with their sizes"),
    ],
)
def test_what_cannot_is_refused_by_name(name, message):
    with pytest.raises(ModelError, match=message) as caught:
        check(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("frozen_backbone", "6 of 8 parameters are frozen, and no training or unlearning changes"),
        ("auxiliary_head", "returns tuple: training uses its first output, and auxiliary heads"),
        ("named_outputs_in_training", "returns GoogLeNetOutputs: training uses its first output"),
        ("two_heads_of_which_one_is_unused", "no gradient reaches unused.weight, unused.bias: "),
        ("batch_norm_without_statistics", "outputs depend on the others in its batch in evaluati"),
        ("integer_parameter", "1 of 7 parameters are frozen"),
    ],
)
def test_what_is_noticed(name, note):
    assert any(note in each for each in check(name))


class Changed(nn.Module):
    """A network around another one's output."""

    def __init__(self, change):
        super().__init__()
        self.network, self.change = (
            build(ModelSpec(name="resnet8", num_classes=4, width=0.1)),
            change,
        )
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images):
        return self.change(self, self.network(images))


def test_random_and_changing_outputs_in_evaluation_mode_are_noticed():
    def count(model, logits):
        model.calls += 1
        return logits * model.calls

    def count_in_another_tensor(model, logits):
        model.calls = model.calls + 1
        return logits * model.calls

    for change in (
        lambda model, logits: nn.functional.dropout(logits, 0.5),
        lambda model, logits: logits + torch.randn_like(logits),
        count,
        count_in_another_tensor,
    ):
        model = Changed(change)
        (note,) = check_model(model, SHAPE, 4)
        assert "outputs for the same inputs differ in evaluation mode" in note
        assert float(model.calls) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, x: x * float("nan"), "finite floats for 2 images, got torch.float32 with 8 "),
        (lambda m, x: x.argmax(1)[:, None].expand(-1, 4), "finite floats for 2 images, got "),
        (lambda m, x: (x, x), "must return logits, a tensor .* got tuple: wrap it"),
        (lambda m, x: x[0], r"got \(4,\): set its number of classes"),
        (lambda m, x: {"a": 1} if m.training else x, "got dict that begins with int"),
        (lambda m, x: () if m.training else x, "got tuple that begins with tuple|logits first"),
        (lambda m, x: x[:, :3] if m.training else x, r"in training mode, got \(2, 3\)"),
        (lambda m, x: x.detach(), "no usable gradient in evaluation mode"),
        (lambda m, x: x.detach() if m.training else x, "no usable gradient in training mode"),
        (lambda m, x: 1 / 0 if m.training else x, "fails on 2 images in training mode: ZeroDivisi"),
        (lambda m, x: x if len(x) > 1 else 1 / 0, "fails on a batch of one of the images in"),
    ],
)  # fmt: skip
def test_outputs_that_methods_cannot_use(change, message):
    with pytest.raises(ModelError, match=message) as caught:
        check_model(Changed(change), SHAPE, 4)
    assert "\n" not in str(caught.value)


def test_a_network_that_cannot_be_copied_or_stored():
    model = Changed(lambda model, logits: logits)
    check_storable(model)
    model.lock = threading.Lock()
    with pytest.raises(ModelError, match=r"cannot be copied: TypeError: cannot pickle '_thread\.l"):
        check_model(model, SHAPE, 4)
    (versioned,) = [each for each in BUILDS if each.name == "extra_state"]
    with pytest.raises(ModelError, match=r"no tensor and cannot be stored: 1\._extra_state; keep"):
        check_storable(versioned.build())


def test_tensors_without_values_and_networks_without_weights(model):
    with pytest.raises(ModelError, match=r"got conv1\.weight \(without values, on the meta"):
        check_outputs(build_on_meta(), SHAPE, 4)
    with pytest.raises(ModelError, match="Flatten has no parameters"):
        check_outputs(nn.Flatten(), SHAPE, 4)
    model.fc.weight = nn.Parameter(model.fc.weight.detach().to_sparse())
    with pytest.raises(ModelError, match=r"got fc\.weight \(torch\.sparse_coo\)"):
        check_outputs(model, SHAPE, 4)


def build_on_meta():
    model = build(ModelSpec(name="resnet8", num_classes=4, width=0.125))
    model.conv1.to("meta")
    return model
