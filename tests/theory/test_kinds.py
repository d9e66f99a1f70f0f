"""The theorem's Hessian and paths on vectors and tokens."""

import copy

import pytest
import torch
from tests.kinds import clouds, first_batch, save_bert, sentences
from torch.nn import functional as F

from expunge.models.build import build
from expunge.models.spec import spec_for
from expunge.tasks.classify import TASK
from expunge.theory.hessian import MaskedHessian
from expunge.theory.paths import add_back, walk


@pytest.fixture(params=["mlp", "bert"])
def case(request, tmp_path):
    samples = clouds() if request.param == "mlp" else sentences()
    name = "mlp" if request.param == "mlp" else save_bert(tmp_path)
    statistics = None
    if request.param == "mlp":
        numbers = samples.inputs.tensor
        statistics = tuple(numbers.mean(0).tolist()), tuple(numbers.std(0).tolist())
    width = 1 / 16 if request.param == "mlp" else 1.0
    return build(spec_for(name, samples.inputs, 3, width=width, statistics=statistics)), samples


def gradient(model, batch, labels):
    loss = F.cross_entropy(model(batch), labels)
    found = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([each.flatten() for each in found])


def test_hessian_products_are_differences_of_gradients(case):
    model, samples = case
    model = model.double().eval()
    hessian = MaskedHessian(
        model, samples, torch.arange(8), None, torch.device("cpu"), TASK, dtype=torch.float64
    )
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(len(hessian), generator=generator, dtype=torch.float64)
    batch = first_batch(samples, 8)
    batch = batch.double() if isinstance(batch, torch.Tensor) else batch
    ends = []
    for step in (1e-6, -1e-6):
        moved = copy.deepcopy(model)
        start = 0
        for p in moved.parameters():
            p.data += step * direction[start : start + p.numel()].view(p.shape)
            start += p.numel()
        ends.append(gradient(moved, batch, samples.labels[:8]))
    expected = (ends[0] - ends[1]) / 2e-6
    torch.testing.assert_close(hessian(direction), expected, rtol=1e-4, atol=1e-6)


def test_a_path_of_one_step_is_undone_exactly(case, context):
    """Where there is one step, adding back what the forgotten samples did is no approximation."""
    model, samples = case
    batches, forget = [torch.arange(12)], torch.tensor([2, 5])
    there, without = copy.deepcopy(model), copy.deepcopy(model)
    walk(there, samples, batches, 0.1, context)
    walk(without, samples, batches, 0.1, context, without=forget)
    undone = add_back(there, model, samples, batches, 0.1, forget, context)
    for a, b in zip(undone.parameters(), without.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert any(
        not torch.allclose(a, b)
        for a, b in zip(without.parameters(), there.parameters(), strict=True)
    )
