"""Per-sample gradients of networks of many builds: those of a loop, or refused by name."""

import pytest
import torch
from tests.kinds import first_batch
from tests.networks_of_different_build import BUILDS
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parameter import UninitializedParameter

from expunge.batch import map_batch
from expunge.curvature.per_sample import per_sample_gradients
from expunge.errors import ModelError
from expunge.sparsity.found import without_hooks
from expunge.tasks.classify import TASK

COUNT = 5


def loop(model, batch, labels, names):
    """One ordinary backward pass per sample."""
    rows = []
    for row in range(COUNT):
        outputs = model(map_batch(lambda tensor, row=row: tensor[row : row + 1], batch))
        loss = F.cross_entropy(outputs, labels[row : row + 1])
        parameters = [model.get_parameter(name) for name in names]
        rows.append(
            torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        )
    return {
        name: torch.stack(each) for name, each in zip(names, zip(*rows, strict=True), strict=True)
    }


def computable(model):
    """Whether all weights are real numbers that exist: others are refused before any method."""
    return not any(
        isinstance(p, UninitializedParameter) or p.is_complex() for p in model.parameters()
    ) and any(p.requires_grad for p in model.parameters())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "build", [each for each in BUILDS if computable(each.build())], ids=lambda build: build.name
)
def test_right_or_refused_by_name(build):
    samples = build.samples(COUNT)
    model = without_hooks(build.build())[0].double().eval()
    batch = first_batch(samples, COUNT)
    if isinstance(batch, Tensor):
        batch = batch.double() / 255 if build.inputs == "images" else batch.double()
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    if build.name == "batch_norm_without_statistics":
        with pytest.raises(ModelError, match=r"layer 1 \(BatchNorm2d\) mixes the samples"):
            per_sample_gradients(model, batch, samples.labels, TASK)
        return
    found = per_sample_gradients(model, batch, samples.labels, TASK)
    for name, expected in loop(model, batch, samples.labels, names).items():
        torch.testing.assert_close(found[name], expected, rtol=1e-6, atol=1e-9)
