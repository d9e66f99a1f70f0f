"""Networks whose per-sample gradients are easily wrong: right values, or the layer's name."""

import logging

import pytest
import torch
from tests.curvature.conftest import flat
from tests.oracles import curvature as oracle
from torch import nn
from torch.nn import functional as F

from expunge.curvature.coordinates import Coordinates
from expunge.curvature.fisher import exact_fisher
from expunge.curvature.gram import gram_matrix
from expunge.curvature.head import head_parameters
from expunge.curvature.layers import has_rule, layer_gradients
from expunge.curvature.per_sample import Network, per_sample_gradients
from expunge.curvature.products import check_products, gradient_products
from expunge.curvature.separate import check_separate
from expunge.errors import DivergedError, ModelError
from expunge.tasks.classify import TASK


class Do(nn.Module):
    """A layer without parameters, from a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Whitened(nn.Module):
    """Batch normalisation written by hand."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x):
        return self.scale * (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-3).sqrt()


class Counting(nn.Module):
    """Counts its calls in a buffer, in place, which `vmap` refuses."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.scale = nn.Parameter(torch.full((4, 1, 1), 0.7))

    def forward(self, x):
        self.calls += 1
        return self.scale * x


class Following(nn.Module):
    """Subtracts a running mean that it updates in every mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4, 1, 1))

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean((0, 2, 3))[:, None, None]
        return x - self.mean


class Watching(nn.Module):
    """Keeps a running mean, in another tensor each time, that its outputs do not use."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4, 1, 1))
        self.scale = nn.Parameter(torch.full((4, 1, 1), 0.7))

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean((0, 2, 3))[:, None, None]
        return self.scale * x


class WrongUnderVmap(nn.Module):
    """Scales by its parameter, except that a batch of one hides the scale from its gradient."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.full((4, 1, 1), 0.7))

    def forward(self, x):
        inside = torch._C._functorch.is_batchedtensor(x)
        return (self.scale.detach() if inside else self.scale) * x


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


class Hidden(torch.autograd.Function):
    """A right gradient whose own derivative is lost."""

    @staticmethod
    def forward(ctx, x):
        return x.sin()

    @staticmethod
    def backward(ctx, gradient):
        return gradient + 0 * gradient.detach() * 0 + (gradient.detach() - gradient)


def with_middle(*layers, head=4):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(2, 4, 3),
            *layers,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(head, 4),
        ).double()
    for name, p in model.named_parameters():
        if p.ndim == 1 and name.endswith("weight"):
            nn.init.constant_(p, 0.3)
    return model.eval()


def recurrent():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        gru = nn.GRU(36, 5, batch_first=True)
        last = Do(lambda found: found[0][:, -1])
        return nn.Sequential(nn.Flatten(2), gru, last, nn.Linear(5, 4)).double().eval()


def twice(layer):
    return layer, nn.Conv2d(4, 4, 1), layer


RIGHT = {
    "PReLU": lambda: with_middle(nn.PReLU()),
    "PReLU by channel": lambda: with_middle(nn.PReLU(4)),
    "one PReLU twice": lambda: with_middle(*twice(nn.PReLU())),
    "a buffer updated in place": lambda: with_middle(Counting()),
    "a buffer replaced": lambda: with_middle(Watching()),
    "a function of one's own": lambda: with_middle(
        nn.InstanceNorm2d(4, affine=True), Do(Square.apply)
    ),
    "a recurrent layer": recurrent,
    "samples in another order inside": lambda: with_middle(
        Do(lambda x: x.flip(0)), nn.Conv2d(4, 4, 1), Do(lambda x: x.flip(0))
    ),
    "wrong under vmap": lambda: with_middle(WrongUnderVmap()),
}


@pytest.fixture(params=RIGHT.values(), ids=RIGHT)
def awkward(request):
    return request.param()


def test_right_values(awkward, data):
    found = per_sample_gradients(awkward, *data, TASK)
    torch.testing.assert_close(flat(found, awkward), oracle.gradients(awkward, *data))


def test_right_fisher_and_gram_matrix(awkward, data, batches):
    coordinates = Coordinates(awkward)
    found = exact_fisher(awkward, coordinates, batches, TASK)
    torch.testing.assert_close(flat(found, awkward), oracle.fisher_diagonal(awkward, data[0]))
    vector = torch.linspace(-1, 1, coordinates.size, dtype=torch.float64)
    gram, along = gram_matrix(awkward, coordinates, batches, vector, 11, 1e9, TASK)
    rows = oracle.gradients(awkward, *data)
    torch.testing.assert_close(gram, rows @ rows.T)
    torch.testing.assert_close(along, rows @ vector)


def test_slow_gradients_are_said_to_be(data, caplog):
    with caplog.at_level(logging.WARNING):
        Network(with_middle(nn.PReLU()), ["0.weight", "1.weight"], data[0])
        assert not caplog.records
        Network(with_middle(Counting()), ["0.weight", "1.scale"], data[0])
    assert [record.getMessage() for record in caplog.records] == [
        "note: gradients per sample take one backward pass per sample, which is slow: Sequential "
        "cannot be computed for a batch at once (1.scale)"
    ]


WRONG = {
    "batch norm without statistics": (
        nn.BatchNorm2d(4, track_running_stats=False),
        r"layer 1 \(BatchNorm2d\) mixes the samples",
    ),
    "batch norm by hand": (Whitened(), r"layer 1 \(Whitened\) mixes the samples"),
    "a mean over the batch": (
        nn.Sequential(nn.ReLU(), Do(lambda x: x - x.mean(0) / 100)),
        r"layer 1\.1 \(Do\) mixes the samples",
    ),
    "noise": (Do(lambda x: x + torch.randn_like(x)), r"layer 1 \(Do\) gives other outputs"),
    "dropout that is always on": (
        Do(lambda x: F.dropout(x, 0.5)),
        r"layer 1 \(Do\) gives other outputs",
    ),
    "a running mean": (Following(), r"layer 1 \(Following\) gives other outputs"),
}


@pytest.mark.parametrize(("layer", "message"), WRONG.values(), ids=WRONG)
def test_layers_without_per_sample_gradients_are_named(layer, message, data):
    model = with_middle(layer)
    for refuse in (
        lambda: check_separate(model, data[0]),
        lambda: per_sample_gradients(model, *data, TASK),
        lambda: check_products(model, Coordinates(model), data[0]),
    ):
        with torch.random.fork_rng(devices=[]), pytest.raises(ModelError, match=message):
            refuse()


def test_a_mean_taken_by_the_network_itself_names_the_network(data):
    class Centred(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = with_middle()

        def forward(self, x):
            return self.body(x - x.mean(0))

    with pytest.raises(ModelError, match="Centred mixes the samples"):
        check_separate(Centred().double().eval(), data[0])


def test_a_network_that_drops_the_batch_dimension_of_one_sample(data):
    model = nn.Sequential(with_middle(), Do(torch.squeeze))
    with pytest.raises(ModelError, match=r"Sequential gives outputs \(4,\) for one sample"):
        check_separate(model, data[0])


def test_outputs_that_are_not_finite(data):
    model = nn.Sequential(with_middle(), Do(lambda x: x * float("inf")))
    with pytest.raises(DivergedError, match="outputs of Sequential are not finite"):
        check_separate(model, data[0])


def test_networks_that_pass_are_not_changed(data):
    model = with_middle(nn.BatchNorm2d(4), nn.Dropout(0.5))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Network(model, list(dict(model.named_parameters())), data[0])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("function", [Square, Hidden])
def test_products_that_would_be_wrong_are_refused(function, data, batches):
    model = with_middle(Do(function.apply))
    with pytest.raises(ModelError, match=r"need second derivatives, and .*such as woodbury"):
        check_products(model, Coordinates(model), data[0])


def test_too_little_memory_is_not_the_networks_fault(data, monkeypatch):
    def push_forward(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    model = with_middle()
    monkeypatch.setattr("expunge.curvature.products.push_forward", push_forward)
    with pytest.raises(torch.OutOfMemoryError):
        check_products(model, Coordinates(model), data[0])


def test_products_of_other_networks_are_right(awkward, data, batches):
    if any(isinstance(module, Do) and module.function == Square.apply for module in awkward):
        pytest.skip("its gradient cannot be differentiated")
    coordinates = Coordinates(awkward)
    check_products(awkward, coordinates, data[0])
    vector = torch.linspace(-1, 1, coordinates.size, dtype=torch.float64)
    found = gradient_products(awkward, coordinates, batches, vector, TASK)
    torch.testing.assert_close(found, oracle.gradients(awkward, *data) @ vector)


def test_a_module_that_the_network_holds_twice_keeps_its_parameter(data):
    model = with_middle(*twice(nn.PReLU()))
    slope = model[1].weight
    per_sample_gradients(model, *data, TASK)
    head_parameters(model, data[0])
    assert model[1].weight is slope


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2), (3, 4, 2, 5)])
def test_any_prelu(count, shape):
    generator = torch.Generator().manual_seed(0)
    layer = nn.PReLU(count).double()
    assert has_rule(layer)
    inputs = torch.randn(shape, generator=generator, dtype=torch.float64)
    given = torch.randn((3, 2, *shape[1:]), generator=generator, dtype=torch.float64)
    found = layer_gradients(layer, inputs, given)["weight"]
    for row in range(3):
        for k in range(2):
            (expected,) = torch.autograd.grad(
                layer(inputs[row : row + 1]), layer.weight, given[row, k][None]
            )
            torch.testing.assert_close(found[row, k], expected)
