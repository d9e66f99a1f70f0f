"""Networks of every kind of layer, in float64, and a few samples."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F


class Convolutions(nn.Module):
    """Strides, groups, dilation, oblong kernels, in-place activations, group normalisation."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, (3, 2), padding=(2, 1), dilation=(2, 1))
        self.norm = nn.BatchNorm2d(6)
        self.groups = nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=3, bias=False)
        self.group_norm = nn.GroupNorm(2, 6)
        self.point = nn.Conv2d(6, 5, 1, stride=(1, 2))
        self.head = nn.Linear(5, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)), inplace=True)
        x = F.silu(self.group_norm(self.groups(x)))
        return self.head(F.relu(self.point(x), inplace=True).mean((2, 3)))


class Tokens(nn.Module):
    """Patches, a position embedding, attention by its functional form, layer normalisation."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(2, 6, 3, stride=3)
        self.position = nn.Parameter(torch.randn(4, 6) / 3)
        self.norm = nn.LayerNorm(6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.inner = nn.Linear(6, 7)
        self.norm1d = nn.BatchNorm1d(7)
        self.head = nn.Linear(7, 4)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head(self.norm1d(F.relu(self.inner(x), inplace=True).mean(1)))


class Shared(nn.Module):
    """A layer that runs twice, a weight that two layers read, a batch that is not first."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Conv2d(2, 2, 3, padding=1)
        self.one = nn.Linear(18, 18)
        self.windows = nn.Linear(9, 9)
        self.head = nn.Linear(18, 4)

    def forward(self, x):
        x = torch.tanh(self.twice(torch.tanh(self.twice(x))))
        x = F.avg_pool2d(x, 2).flatten(1)
        x = torch.tanh(F.linear(self.one(x), self.one.weight))
        x = torch.tanh(self.windows(x.view(len(x) * 2, 9))).view(len(x), 18)
        return self.head(x)


NETWORKS = [Convolutions, Tokens, Shared]


def make(network) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = network().double()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 2)
    return model.eval()


@pytest.fixture(params=NETWORKS, ids=lambda network: network.__name__)
def model(request):
    return make(request.param)


@pytest.fixture
def convolutions():
    return make(Convolutions)


@pytest.fixture(scope="session")
def data():
    """11 images 2x6x6 in float64, and labels of 4 classes."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand((11, 2, 6, 6), generator=generator, dtype=torch.float64)
    return images, torch.randint(4, (11,), generator=generator)


@pytest.fixture
def batches(data):
    """The same samples in batches of 4."""
    images, labels = data
    return lambda: zip(images.split(4), labels.split(4), strict=True)


def flat(tensors, model):
    """Tensors by name as one vector, or `(B, P)`, in the model's order."""
    found = [
        tensors[name].flatten(tensors[name].ndim - p.ndim) for name, p in model.named_parameters()
    ]
    return torch.cat(found, -1)
