"""Small data and networks that many tests use."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from expunge.data.arrays import as_samples
from expunge.types import Context, Samples
from tests import processes
from tests.deadlines import slowness

ROOT = processes.ROOT


@pytest.fixture(scope="session", autouse=True)
def what_is_started_is_ended():
    """The machine is measured before anything else, and no process is left after the tests."""
    slowness()
    processes.adopt_orphans()
    yield
    processes.end_all(processes.descendants(os.getpid()))


@pytest.fixture
def started():
    """Start `python WORDS`; at the end it is killed with whatever it has started."""
    found = []

    def start(*words, **settings):
        found.append(processes.python(*words, **settings))
        return found[-1]

    yield start
    for process in found:
        process.end()


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """Decoded images are kept, and none of the user's are touched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPUNGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture(scope="session")
def samples() -> Samples:
    """60 samples of 3 classes, 1x8x8, that a small network can learn."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 120, (60, 1, 8, 8))
    for i, label in enumerate(labels):
        images[i, 0, 2 * label : 2 * label + 3] += 120
    return as_samples((images.astype(np.uint8), labels), name="stripes")


class SmallNetwork(nn.Module):
    """Convolution, batch normalisation, a linear head: one of each kind that matters."""

    def __init__(self, num_classes: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.norm(self.conv(images)))
        return self.head(torch.relu(self.conv2(hidden)).mean((2, 3)))


def small_network(seed: int = 0, num_classes: int = 3) -> SmallNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallNetwork(num_classes)


@pytest.fixture
def network() -> SmallNetwork:
    return small_network()


@pytest.fixture
def context(fabric: Fabric) -> Context:
    return Context(fabric=fabric, rebuild=small_network)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, or a skip where there is none."""
    folder = Path(os.environ.get("EXPUNGE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}: set EXPUNGE_DATA")
    return folder
