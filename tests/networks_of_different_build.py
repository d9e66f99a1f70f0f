"""Small classifiers built in many ways, to try methods and pruners on.

Images are `(1, 8, 8)`, vectors have 7 features, and tokens are at most 6 long: those of `stripes`,
`clouds` and `sentences` in `tests.kinds`. Every network has 3 classes.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune

from expunge.settings import InputKind
from expunge.types import Samples
from tests.kinds import VOCABULARY, clouds, sentences, stripes

CLASSES = 3
FEATURES = 7


@dataclass(frozen=True)
class Build:
    """A network to try."""

    name: str
    make: Callable[[], nn.Module]
    """Draws from the global generator: use `build`."""
    inputs: InputKind

    def build(self, seed: int = 0) -> nn.Module:
        """The network; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            # That `torch.nn.utils.weight_norm` is old, and lazy layers are new.
            warnings.simplefilter("ignore")
            torch.default_generator.manual_seed(seed)
            return self.make()

    def samples(self, count: int = 12) -> Samples:
        """Samples that it takes, of all classes."""
        if self.inputs == "vectors":
            return clouds(count, FEATURES, CLASSES)
        if self.inputs == "tokens":
            return sentences(count, classes=CLASSES)
        return stripes(count, (1, 8, 8), CLASSES)

    def __str__(self) -> str:
        """Its name, for the names of tests."""
        return self.name


BUILDS: list[Build] = []
"""All of them."""


def network(inputs: InputKind) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Add a function that makes a network for a kind of inputs to `BUILDS`."""

    def add(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        BUILDS.append(Build(make.__name__, make, inputs))
        return make

    return add


def convolutions(*middle: nn.Module, bias: bool = True) -> nn.Sequential:
    """A convolution to six channels, `middle`, another one, a pooling and a head."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=bias),
        *middle,
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def freeze(module: nn.Module) -> None:
    """In evaluation mode, without gradients: as people freeze batch normalisation."""
    module.eval().requires_grad_(False)


class Scaled(nn.Module):
    """Vectors that are about 100 on scales from 0.01 on, brought to about one."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", 10.0 ** torch.arange(-2.0, FEATURES - 2.0))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return (vectors - 100) / self.scale


@network("images")
def batch_norm() -> nn.Module:
    """The usual build, for comparison."""
    return convolutions(nn.BatchNorm2d(6), bias=False)


@network("images")
def frozen_batch_norm() -> nn.Module:
    """Batch normalisation whose owner put it in evaluation mode and froze it."""
    model = convolutions(nn.BatchNorm2d(6))
    freeze(model[1])
    model[1].running_mean.fill_(0.1)
    return model


@network("images")
def batch_norm_without_statistics() -> nn.Module:
    """Batch normalisation that mixes samples in evaluation mode too."""
    return convolutions(nn.BatchNorm2d(6, track_running_stats=False))


@network("images")
def group_norm() -> nn.Module:
    """Group normalisation."""
    return convolutions(nn.GroupNorm(2, 6))


@network("images")
def layer_norm() -> nn.Module:
    """Layer normalisation over channels, height and width."""
    return convolutions(nn.LayerNorm((6, 8, 8)))


@network("images")
def instance_norm() -> nn.Module:
    """Instance normalisation with weights."""
    return convolutions(nn.InstanceNorm2d(6, affine=True))


@network("images")
def instance_norm_with_statistics() -> nn.Module:
    """Instance normalisation with running statistics."""
    return convolutions(nn.InstanceNorm2d(6, affine=True, track_running_stats=True))


@network("images")
def batch_norm_after_pooling() -> nn.Module:
    """Batch normalisation of one number per channel: batches of one cannot be trained on."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(6), nn.Flatten(),
        nn.Linear(6, CLASSES),
    )  # fmt: skip


@network("images")
def prelu() -> nn.Module:
    """Activations with a weight that every position of the image shares."""
    return convolutions(nn.PReLU(6))


@network("images")
def inplace_relu() -> nn.Module:
    """Activations that overwrite what they are given."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3),
        nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(128, CLASSES),
    )  # fmt: skip


@network("images")
def depthwise() -> nn.Module:
    """One filter per channel, then a convolution of single pixels."""
    return convolutions(nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Conv2d(6, 6, 1))


@network("images")
def transposed_convolution() -> nn.Module:
    """A convolution that enlarges."""
    return convolutions(nn.ConvTranspose2d(6, 6, 2, stride=2))


@network("images")
def channels_last() -> nn.Module:
    """Weights whose owner keeps them channels-last."""
    model = convolutions(nn.BatchNorm2d(6))
    return model.to(memory_format=torch.channels_last)


@network("images")
def reflected_padding() -> nn.Module:
    """A convolution padded by reflection, to the same size by name."""
    return convolutions(nn.Conv2d(6, 6, 3, padding="same", padding_mode="reflect"))


@network("images")
def named_head() -> nn.Module:
    """A sequence whose last layer is called `head`."""
    layers = {"features": nn.Conv2d(1, 6, 3), "flat": nn.Flatten(), "head": nn.Linear(216, CLASSES)}
    return nn.Sequential(OrderedDict(layers))


@network("images")
def frozen_backbone() -> nn.Module:
    """Only the head is to be trained; batch normalisation below it is in training mode."""
    model = convolutions(nn.BatchNorm2d(6))
    for layer in list(model)[:-1]:
        layer.requires_grad_(False)
    return model


@network("images")
def all_frozen() -> nn.Module:
    """No weight is to be trained."""
    return convolutions().requires_grad_(False)


@network("images")
def dropout() -> nn.Module:
    """Whole channels are dropped at random in training."""
    return convolutions(nn.Dropout2d(0.3))


@network("images")
def dropout_in_evaluation_mode() -> nn.Module:
    """Dropout whose owner turned it off."""
    model = convolutions(nn.Dropout2d(0.9))
    model[1].eval()
    return model


@network("images")
def float64() -> nn.Module:
    """Weights in double precision."""
    return convolutions(nn.BatchNorm2d(6)).double()


@network("images")
def bfloat16() -> nn.Module:
    """Weights in half precision with a wide range."""
    return convolutions(nn.BatchNorm2d(6)).bfloat16()


@network("images")
def float16() -> nn.Module:
    """Weights in half precision with a narrow range."""
    return convolutions(nn.BatchNorm2d(6)).half()


@network("images")
def mixed_precision() -> nn.Module:
    """A head in double precision that converts what it is given."""

    class Double(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs.double())

    model = convolutions()
    model[-1] = Double(8, CLASSES).double()
    return model


@network("images")
def weight_norm() -> nn.Module:
    """A convolution and a head parametrised by direction and length."""
    model = convolutions()
    parametrizations.weight_norm(model[0])
    parametrizations.weight_norm(model[-1])
    return model


@network("images")
def weight_norm_by_hook() -> nn.Module:
    """The same, as PyTorch did it before parametrisations."""
    model = convolutions()
    nn.utils.weight_norm(model[0])
    return model


@network("images")
def spectral_norm() -> nn.Module:
    """A convolution divided by its largest singular value, which training estimates."""
    model = convolutions()
    parametrizations.spectral_norm(model[2])
    return model


@network("images")
def spectral_norm_by_hook() -> nn.Module:
    """The same, as PyTorch did it before parametrisations."""
    model = convolutions()
    nn.utils.spectral_norm(model[2])
    return model


@network("images")
def parametrised() -> nn.Module:
    """A convolution whose weights are never negative, by a parametrisation of one's own."""

    class Positive(nn.Module):
        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return F.softplus(weight)

    model = convolutions()
    parametrize.register_parametrization(model[2], "weight", Positive())
    return model


@network("images")
def pruned_by_torch() -> nn.Module:
    """Under `torch.nn.utils.prune`: `weight_orig` and `weight_mask`."""
    model = convolutions()
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    prune.l1_unstructured(model[2], "weight", amount=0.5)
    return model


@network("images")
def exact_zeros() -> nn.Module:
    """Most weights of a convolution are zero, and nothing says that they should stay so."""
    model = convolutions()
    with torch.no_grad():
        model[2].weight[torch.rand_like(model[2].weight) < 0.8] = 0
    return model


@network("images")
def auxiliary_head() -> nn.Module:
    """Returns the logits, and in training a second head's logits after them."""

    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten())
            self.head, self.second = nn.Linear(216, CLASSES), nn.Linear(216, CLASSES)

        def forward(self, images: torch.Tensor) -> object:
            features = self.features(images)
            return (self.head(features), self.second(features)) if self.training else (
                self.head(features)
            )  # fmt: skip

    return Auxiliary()


GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", ("logits", "aux_logits2", "aux_logits1"))


@network("images")
def named_outputs_in_training() -> nn.Module:
    """Returns a named tuple in training, as GoogLeNet of torchvision does."""

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten())
            self.head, self.second = nn.Linear(216, CLASSES), nn.Linear(216, CLASSES)

        def forward(self, images: torch.Tensor) -> object:
            features = self.features(images)
            logits = self.head(features)
            return GoogLeNetOutputs(logits, self.second(features), None) if self.training else (
                logits
            )  # fmt: skip

    return Named()


class Cube(torch.autograd.Function):
    """x³, with a derivative of its own."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * gradient


@network("images")
def custom_autograd() -> nn.Module:
    """An activation that is a `torch.autograd.Function` of one's own."""

    class Activation(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return Cube.apply(x)

    return convolutions(Activation())


@network("images")
def complex_weights() -> nn.Module:
    """A filter in the frequency domain."""

    class Spectral(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filter = nn.Parameter(torch.randn(6, 8, 5, dtype=torch.complex64))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.fft.irfft2(torch.fft.rfft2(images) * self.filter)

    return convolutions(Spectral())


@network("images")
def changes_a_buffer() -> nn.Module:
    """Counts its calls, and keeps a mean of what it saw, in training."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
            self.register_buffer("mean", torch.zeros(()))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.calls += 1
                self.mean.lerp_(images.detach().mean(), 0.1)
            return images - self.mean

    return convolutions(Counting())


@network("images")
def noise() -> nn.Module:
    """Adds random numbers in training, from the global generator."""

    class Noise(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images + 0.1 * torch.randn_like(images) if self.training else images

    return convolutions(Noise())


@network("images")
def shared_module() -> nn.Module:
    """One convolution that runs twice."""
    twice = nn.Conv2d(6, 6, 3, padding=1)
    return convolutions(twice, nn.ReLU(), twice)


@network("images")
def conv3d() -> nn.Module:
    """A convolution in three dimensions, and no other."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 1)), nn.Conv3d(1, 4, (1, 3, 3)), nn.ReLU(), nn.Flatten(),
        nn.Linear(144, CLASSES),
    )  # fmt: skip


@network("images")
def bilinear_and_residual() -> nn.Module:
    """A residual block, and a head that multiplies two views of the features."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 6, 3, padding=1)
            self.head = nn.Bilinear(6, 6, CLASSES)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = torch.relu(self.first(images))
            features = features + torch.relu(self.second(features))
            return self.head(features.mean((2, 3)), features.amax((2, 3)))

    return Residual()


@network("images")
def extra_state() -> nn.Module:
    """A layer that saves more than tensors."""

    class Versioned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.version = 3

        def get_extra_state(self) -> int:
            return self.version

        def set_extra_state(self, state: int) -> None:
            self.version = state

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images

    return convolutions(Versioned())


@network("images")
def lazy() -> nn.Module:
    """A head that learns its size from the first batch."""
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(CLASSES))


@network("images")
def integer_parameter() -> nn.Module:
    """A table of integers kept as a parameter."""

    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.arange(6), requires_grad=False)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, self.table]

    return convolutions(Table())


@network("images")
def two_heads_of_which_one_is_unused() -> nn.Module:
    """A layer that no output depends on."""

    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused, self.network = nn.Linear(4, CLASSES), convolutions()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.network(images)

    return Unused()


@network("images")
def stochastic_depth() -> nn.Module:
    """A block that is left out at random in training, by the flow of control."""

    class Depth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Conv2d(6, 6, 3, padding=1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training and torch.rand(()) < 0.5:
                return images
            return images + self.block(images)

    return convolutions(Depth())


@network("vectors")
def linear_only() -> nn.Module:
    """No convolution."""
    return nn.Sequential(
        Scaled(), nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
        nn.Linear(16, CLASSES),
    )  # fmt: skip


@network("vectors")
def single_layer() -> nn.Module:
    """Logistic regression."""
    return nn.Sequential(Scaled(), nn.Linear(FEATURES, CLASSES))


@network("vectors")
def batch_norm_of_vectors() -> nn.Module:
    """Batch normalisation of vectors: batches of one cannot be trained on."""
    return nn.Sequential(
        nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, 16), nn.BatchNorm1d(16), nn.ReLU(),
        nn.Linear(16, CLASSES),
    )  # fmt: skip


@network("vectors")
def raw_parameter() -> nn.Module:
    """Weights that are parameters of the network itself."""

    class Raw(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaled = Scaled()
            self.inner = nn.Parameter(torch.randn(16, FEATURES) / 3)
            self.outer = nn.ParameterList([nn.Parameter(torch.randn(CLASSES, 16) / 4)])

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            hidden = torch.relu(F.linear(self.scaled(vectors), self.inner))
            return F.linear(hidden, self.outer[0])

    return Raw()


@network("vectors")
def tied() -> nn.Module:
    """Two layers with one weight."""
    model = linear_only()
    model.insert(4, nn.Linear(16, 16))
    model[4].weight = model[3].weight
    return model


@network("vectors")
def recurrent() -> nn.Module:
    """An LSTM that reads a vector number by number."""

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaled, self.lstm = Scaled(), nn.LSTM(1, 8, batch_first=True)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            _, (hidden, _) = self.lstm(self.scaled(vectors)[..., None])
            return self.head(hidden[-1])

    return Recurrent()


@network("vectors")
def gated_recurrent() -> nn.Module:
    """A GRU of two layers, in both directions, with dropout between them."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaled = Scaled()
            self.gru = nn.GRU(1, 4, 2, batch_first=True, bidirectional=True, dropout=0.1)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            outputs, _ = self.gru(self.scaled(vectors)[..., None])
            return self.head(outputs.mean(1))

    return Gated()


@network("vectors")
def attention() -> nn.Module:
    """Attention over the numbers of a vector."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaled, self.embed = Scaled(), nn.Linear(1, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, vectors: torch.Tensor) -> torch.Tensor:
            steps = self.embed(self.scaled(vectors)[..., None])
            mixed, _ = self.attention(steps, steps, steps)
            return self.head(mixed.mean(1))

    return Attention()


@network("vectors")
def conv1d() -> nn.Module:
    """Convolutions along a vector, with batch normalisation."""
    return nn.Sequential(
        Scaled(), nn.Unflatten(1, (1, FEATURES)), nn.Conv1d(1, 6, 3), nn.BatchNorm1d(6), nn.ReLU(),
        nn.Flatten(), nn.Linear(30, CLASSES),
    )  # fmt: skip


@network("tokens")
def embedding() -> nn.Module:
    """The mean of the tokens' embeddings."""

    class Embedding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(VOCABULARY, 8, padding_idx=0)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            seen = batch["attention_mask"][..., None]
            total = (self.embed(batch["input_ids"]) * seen).sum(1)
            return self.head(total / seen.sum(1))

    return Embedding()


@network("tokens")
def transformer() -> nn.Module:
    """An encoder layer over embedded tokens."""

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(VOCABULARY, 8)
            self.encoder = nn.TransformerEncoder(
                nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True), 1
            )
            self.head = nn.Linear(8, CLASSES)

        def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            padded = batch["attention_mask"] == 0
            states = self.encoder(self.embed(batch["input_ids"]), src_key_padding_mask=padded)
            return self.head(states[:, 0])

    return Transformer()
