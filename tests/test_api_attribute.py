"""`expunge.attribute`, against the attributors themselves."""

import numpy as np
import pytest
import torch

import expunge
from expunge.attribution import get_attributor
from expunge.data.splits import subset
from expunge.errors import ConfigError, ModelError
from expunge.types import Context
from tests.conftest import small_network


@pytest.fixture
def targets(samples):
    return subset(samples, torch.tensor([3, 10]))


def test_it_is_the_attributors_scores_with_their_ids(samples, targets, fabric):
    model = small_network()
    found = expunge.attribute(
        model, samples, targets, method="gradient_similarity", config={"measure": "cosine"}
    )
    attributor = get_attributor("gradient_similarity")
    config = attributor.config(measure="cosine")
    expected = attributor.run(model, samples, targets, config, Context(fabric=fabric)).scores
    np.testing.assert_allclose(found.scores, expected.numpy(), rtol=1e-6)
    assert (found.train_ids, found.target_ids) == (samples.ids, targets.ids)
    assert (found.method, found.config) == ("gradient_similarity", config)


def test_the_most_helpful_and_harmful_are_named(samples, targets):
    found = expunge.attribute(small_network(), samples, targets, method="gradient_similarity")
    row = found.scores[1]
    helpful, harmful = found.helpful(1, top=4), found.harmful(1, top=4)
    assert [score for _, score in helpful] == sorted(row, reverse=True)[:4]
    assert [score for _, score in harmful] == sorted(row)[:4]
    assert helpful[0][0] == samples.ids[int(row.argmax())]
    assert found.harmful(1, top=1000)[-1][1] < 0


def test_of_a_split_only_what_is_retained_counts(samples, targets):
    split = expunge.split(samples, forget=expunge.by_class(1))
    found = expunge.attribute(small_network(), split, targets, method="gradient_similarity")
    assert found.train_ids == tuple(samples.ids[row] for row in split.retain.tolist())
    assert found.scores.shape == (2, 40)


def test_a_sparse_model_keeps_its_mask_out_of_the_scores(samples, targets):
    split = expunge.split(samples, forget=expunge.by_class(1))
    recipe = expunge.Training(epochs=1, batch_size=16, lr=0.05, schedule="constant")
    sparse = expunge.prune(small_network(), split, method="random", sparsity=0.5, training=recipe)
    masked = expunge.attribute(sparse, samples, targets, method="gradient_similarity")
    dense = expunge.attribute(
        sparse.model, samples, targets, method="gradient_similarity", dense=True
    )
    assert not np.allclose(masked.scores, dense.scores)


def test_what_does_not_fit_is_refused(samples, targets):
    with pytest.raises(ConfigError, match="unknown attributor 'gradients'"):
        expunge.attribute(small_network(), samples, targets, method="gradients")
    with pytest.raises(ConfigError, match="unknown setting 'speed'"):
        expunge.attribute(small_network(), samples, targets, config={"speed": 1})
    with pytest.raises(ModelError):
        expunge.attribute(small_network(num_classes=2), samples, targets)
