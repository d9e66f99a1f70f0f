"""timm needs torchvision, which its own wheel does not bring: a stand-in takes its place here."""

import sys
import types

import pytest
import torch
from torch import nn

from expunge.curvature.head import head_parameters
from expunge.errors import ModelError
from expunge.models.build import build
from expunge.models.check import check_outputs
from expunge.models.spec import ModelSpec


class Network(nn.Module):
    def __init__(self, num_classes, in_chans):
        super().__init__()
        self.stem = nn.Conv2d(in_chans, 4, 3)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, images):
        return self.fc(self.stem(images).mean((2, 3)))


@pytest.fixture
def calls(monkeypatch):
    calls = []

    def create_model(name, pretrained=True, num_classes=1000, in_chans=3):
        calls.append((name, pretrained))
        if name == "tiny":
            return Network(num_classes, in_chans)
        raise RuntimeError(f"Unknown model ({name})")

    module = types.ModuleType("timm")
    module.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", module)
    return calls


def test_classes_and_channels_are_the_datas_and_weights_are_fresh(calls):
    spec = ModelSpec(name="timm:tiny", num_classes=5, in_channels=1, mean=(0.4,), std=(0.2,))
    model = build(spec, seed=1)
    check_outputs(model, (1, 8, 8), 5)
    assert set(head_parameters(model, torch.zeros((1, 1, 8, 8)))) == {
        "network.fc.weight",
        "network.fc.bias",
    }
    assert calls == [("tiny", False)]
    assert model.normalise.mean.tolist() == pytest.approx([0.4])
    again, other = build(spec, seed=1), build(spec, seed=2)
    assert torch.equal(model.network.fc.weight, again.network.fc.weight)
    assert not torch.equal(model.network.fc.weight, other.network.fc.weight)


def test_an_unknown_name(calls):
    with pytest.raises(ModelError, match=r"timm cannot build 'tine': .*Unknown model"):
        build(ModelSpec(name="timm:tine", num_classes=5))


def test_a_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'expunge\[timm\]'"):
        build(ModelSpec(name="timm:tiny", num_classes=5))


def test_the_library_itself():
    pytest.importorskip("torchvision")
    pytest.importorskip("timm")
    check_outputs(build(ModelSpec(name="timm:resnet10t", num_classes=5)), (3, 32, 32), 5)
