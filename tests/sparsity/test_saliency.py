from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from expunge.errors import ConfigError
from expunge.sparsity.saliency import SaliencyConfig, balanced_draw, even_batches, mean_loss
from expunge.tasks.classify import TASK


def draw(samples, per_class, seed=0):
    return balanced_draw(samples, per_class, torch.Generator().manual_seed(seed))


def test_the_draw_is_balanced_and_without_repeats(samples):
    index = draw(samples, 7)
    assert index.dtype == torch.int64
    assert len(set(index.tolist())) == 21
    assert samples.labels[index].bincount().tolist() == [7, 7, 7]
    assert samples.labels[index].tolist() != sorted(samples.labels[index].tolist())


def test_the_seed_decides(samples):
    assert torch.equal(draw(samples, 5, seed=1), draw(samples, 5, seed=1))
    assert set(draw(samples, 5, seed=1).tolist()) != set(draw(samples, 5, seed=2).tolist())


def test_of_a_small_class_all_are_drawn(samples):
    labels = torch.zeros(60, dtype=torch.int64)
    labels[:4] = 1
    index = draw(replace(samples, labels=labels), 10)
    assert labels[index].bincount().tolist() == [10, 4]
    assert set(index.tolist()) >= {0, 1, 2, 3}


@given(st.integers(1, 300), st.integers(2, 50))
def test_batches_are_even_and_never_of_one_sample(n, size):
    batches = even_batches(torch.arange(n), size)
    assert torch.cat(batches).tolist() == list(range(n))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(size, 3)
    assert min(sizes) >= min(2, n)


def test_the_terms_add_up_to_the_mean_loss_of_batches(samples, context, tiny):
    config = SaliencyConfig(samples_per_class=6, batch_size=9)
    found = sum(mean_loss(tiny, samples, config, context, temperature=3.0))
    index = balanced_draw(samples, 6, context.generator("saliency"))
    tiny.train()
    tiny[4].eval()
    expected = torch.zeros((), dtype=torch.float64)
    for batch in (index[:9], index[9:]):
        pixels = TASK.inputs(next(samples.inputs.batches([batch]))).double()
        expected += F.cross_entropy(tiny(pixels) / 3, samples.labels[batch]) / 2
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_the_network_is_given_what_training_gives_it(samples, context):
    seen = []

    class Recorder(nn.Linear):
        def forward(self, images):
            seen.append(images)
            return super().forward(images.flatten(1))

    config = SaliencyConfig(samples_per_class=20)
    list(mean_loss(Recorder(64, 3), samples, config, context))
    index = balanced_draw(samples, 20, context.generator("saliency"))
    assert torch.equal(seen[0], TASK.inputs(next(samples.inputs.batches([index]))))


@pytest.mark.parametrize("settings", [{"samples_per_class": 0}, {"batch_size": 1}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ConfigError, match=f"{next(iter(settings))} must be"):
        SaliencyConfig(**settings)
