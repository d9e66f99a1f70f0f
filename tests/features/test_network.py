"""The inputs of the last layer, found by structure in networks of different build."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.kinds import sentences, stripes
from torch import nn
from torch.nn.utils import parametrizations

from expunge.detectors import get_detector
from expunge.detectors.evidence import SampleEvidence
from expunge.detectors.find import find
from expunge.detectors.observe import observe
from expunge.errors import ConfigError, DataError, ModelError
from expunge.features.network import WithFeatures
from expunge.models.resnet import resnet8


class Fancy(nn.Module):
    """A head that is not last by name, after a body."""

    def __init__(self, head):
        super().__init__()
        self.out = head
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())

    def forward(self, x):
        return self.out(self.body(x))


class Convolved(nn.Module):
    """Classes by a convolution of one pixel, averaged over the image."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 1)

    def forward(self, x):
        return self.head(self.body(x)).mean((2, 3))


class Functional(nn.Module):
    """A head whose module is never called."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        return nn.functional.linear(x.flatten(1), self.head.weight, self.head.bias)


BATCH = torch.randn(7, 3, 2, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "head",
    [nn.Linear(5, 4), nn.Linear(5, 4, bias=False), parametrizations.weight_norm(nn.Linear(5, 4))],
    ids=["plain", "no bias", "computed"],
)
def test_features_are_what_the_head_is_given(head):
    model = Fancy(head).eval()
    network = WithFeatures(model, BATCH)
    before = [len(module._forward_pre_hooks) for module in model.modules()]
    found = network(BATCH)
    features, logits = found[:, :5], found[:, 5:]
    assert torch.equal(features, model.body(BATCH))
    assert torch.equal(logits, model(BATCH))
    assert [len(module._forward_pre_hooks) for module in model.modules()] == before


def test_features_of_a_convolution_are_means_over_the_image():
    model = Convolved()
    found = WithFeatures(model, BATCH)(BATCH)
    assert torch.allclose(found[:, :6], model.body(BATCH).mean((2, 3)))
    assert torch.equal(found[:, 6:], model(BATCH))


def test_a_head_that_is_not_called_is_named():
    with pytest.raises(ModelError, match="the last layer, 'head', is given, and it is not called"):
        WithFeatures(Functional(), BATCH)(BATCH)


def test_evidence_is_of_the_samples_and_then_of_the_clean_ones(fabric):
    samples, clean = stripes(9), stripes(6)
    torch.manual_seed(0)
    model = resnet8(3, in_channels=3, width=0.25)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evidence = observe(model, samples, clean, 4, {"features", "logits", "trusted", "model"}, fabric)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training
    assert evidence.labels.tolist() == [*samples.labels.tolist(), *clean.labels.tolist()]
    assert evidence.trusted.tolist() == [9, 10, 11, 12]
    rows = np.array([14, 0, 3])
    pixels = torch.stack(
        [clean.inputs.tensor[5], samples.inputs.tensor[0], samples.inputs.tensor[3]]
    )
    assert np.array_equal(evidence.inputs(rows), pixels.numpy().astype(np.float32) / 255)
    with torch.inference_mode():
        logits = model.eval()(pixels / 255)
    assert np.allclose(evidence.logits[rows], logits.numpy(), atol=1e-4)
    assert np.allclose(evidence.predict(evidence.inputs(rows)), logits.numpy(), atol=1e-4)
    head = dict(model.named_modules())["fc"] if hasattr(model, "fc") else list(model.children())[-1]
    again = evidence.features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert np.allclose(again, evidence.logits, atol=1e-4)


def test_only_what_is_needed_is_computed(fabric):
    evidence = observe(
        Functional(), stripes(4, (3, 2, 2)), stripes(4, (3, 2, 2)), 1, {"trusted"}, fabric
    )
    assert (evidence.features, evidence.logits, evidence.inputs, evidence.predict) == (None,) * 4


def test_tokens_cannot_be_blended(fabric):
    tokens = sentences()
    evidence = observe(nn.Linear(1, 1), tokens, tokens, 1, {"model"}, fabric)
    with pytest.raises(DataError, match="needs images or vectors, got tokens"):
        evidence.inputs(np.arange(2))


def test_trusted_and_threshold_samples_are_different_ones(fabric):
    """Half is given to the detector, in the classes' proportions, and the others set the limit."""
    samples, clean = stripes(30, (3, 8, 8)), stripes(60, (3, 8, 8))
    seen = {}

    def run(evidence, config):
        seen["trusted"] = evidence.trusted_rows()
        return np.arange(len(evidence), dtype=np.float64)

    detector = replace(get_detector("strip"), needs=frozenset({"trusted"}), run=run)
    found = find(detector, None, nn.Linear(1, 1), samples, clean, 0.05, 3, fabric)
    assert seen["trusted"].tolist() == list(range(30, 60))
    assert found.trusted == len(found.clean_scores) == 30
    assert found.clean_scores.tolist() == list(range(60, 90))
    assert found.threshold == 89
    assert found.suspected == ()
    assert found.ids == samples.ids
    assert repr(found) == "Suspects(0 of 30 samples, above 89 from 30 clean samples)"
    upside_down = replace(detector, run=lambda *given: -run(*given))
    lower = find(upside_down, None, nn.Linear(1, 1), samples, clean, 0.05, 3, fabric)
    assert lower.suspected == samples.ids


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.array([0, 3])}, r"labels must be in 0\.\.2, got 0\.\.3"),
        ({"labels": np.zeros((0,), dtype=np.int64)}, "labels must be int .* not empty"),
        ({"labels": np.array([0.0, 1.0])}, "labels must be integers"),
        ({"logits": np.zeros((3, 3))}, r"logits must be \(2, ...\), one row a sample: \(3, 3\)"),
        ({"logits": np.zeros((2, 4))}, r"logits must be of 3 classes: \(2, 4\)"),
        ({"features": np.full((2, 1), np.nan)}, "the features of 2 of 2 samples are not finite"),
        ({"trusted": np.array([2])}, r"trusted rows must be in 0\.\.1, got 2\.\.2"),
        ({"trusted": np.array([0, 0])}, "trusted rows must be one or more, each once"),
        ({"trusted": np.array([], dtype=np.int64)}, "trusted rows must be one or more"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(changes, message):
    given = {"labels": np.array([0, 1]), "num_classes": 3, **changes}
    with pytest.raises(DataError, match=message):
        SampleEvidence(**given)


def test_what_is_not_there_is_named():
    bare = SampleEvidence(labels=np.array([0, 1]), num_classes=2)
    with pytest.raises(DataError, match="there are no features of the samples"):
        bare.only({"features"})
    with pytest.raises(DataError, match="there are no trusted samples"):
        bare.only({"trusted"})
    with pytest.raises(DataError, match="there is no network to run"):
        bare.only({"model"})
    with pytest.raises(ConfigError, match=r"unknown need of a detector 'feature'.*did you mean"):
        bare.only({"feature"})
