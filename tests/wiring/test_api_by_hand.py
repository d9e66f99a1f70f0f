"""What Python's face does with what it is given: the library's calls, with nothing lost."""

import statistics

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tests.conftest import small_network
from tests.oracles import draws

import expunge
from expunge.data.splits import subset
from expunge.metrics.distance import weight_distance
from expunge.metrics.gap import gap
from expunge.metrics.membership.features import true_class_confidence
from expunge.settings import derive_seed
from expunge.sparsity.mask import prunable
from expunge.sparsity.ranking import keep_highest
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

RECIPE = expunge.Training(
    epochs=2, batch_size=16, lr=0.05, schedule="constant", label_smoothing=0.1, crop_padding=1
)


def context(seed, precision="32-true", mask=None):
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    return Context(fabric=fabric, seed=seed, mask=mask, augmentation=RECIPE.augmentation)


def same(one, two):
    pairs = zip(one.state_dict().items(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for (_, a), b in pairs)


def test_train_is_the_loop_over_all_samples(samples):
    model = expunge.train(small_network(1), samples, RECIPE, seed=3, device="cpu")
    ours = small_network(1)
    fit(ours, Stream(samples, torch.arange(60)), task_loss, RECIPE, context(3))
    assert same(model, ours)


def test_prune_is_magnitudes_and_training_from_the_rewind(samples):
    split = expunge.split(samples, forget=expunge.by_class(1))
    rewind = small_network(2).state_dict()
    sparse = expunge.prune(
        small_network(1), split, sparsity=0.4, training=RECIPE, rewind=rewind, seed=3,
        device="cpu", precision="bf16-mixed",
    )  # fmt: skip
    magnitudes = {name: w.detach().abs() for name, w in prunable(small_network(1)).items()}
    mask = keep_highest(magnitudes, 0.4)
    ours = small_network(2)
    fit(ours, Stream(samples, torch.arange(60)), task_loss, RECIPE, context(3, "bf16-mixed", mask))
    assert same(sparse.model, ours)
    assert all(torch.equal(sparse.mask[name], kept) for name, kept in mask.items())


def test_unlearn_keeps_the_mask_the_seed_and_the_recipe(samples):
    split = expunge.split(samples, forget=expunge.at_random(0.2, seed=1))
    mask = {
        name: torch.arange(w.numel()).reshape(w.shape) % 3 > 0
        for name, w in prunable(small_network()).items()
    }
    model = small_network(1)
    for name, kept in mask.items():
        model.get_parameter(name).data.mul_(kept)
    sparse = expunge.Sparse(model, mask)
    found = expunge.unlearn(
        sparse, split, method="retrain", training=RECIPE, rebuild=small_network, seed=3,
        device="cpu", precision="bf16-mixed",
    )  # fmt: skip
    ours = small_network(derive_seed(3, "initialisation"))
    fit(ours, Stream(samples, split.retain), task_loss, RECIPE, context(3, "bf16-mixed", mask))
    assert same(found.model, ours)
    assert found.mask is mask


def test_evaluate_is_the_metrics_of_both_models(samples):
    split = expunge.split(samples, forget=expunge.by_class(1))
    test = subset(samples, torch.arange(7, 47))
    model = expunge.train(small_network(1), samples, RECIPE, device="cpu")
    reference = small_network(5)
    found = expunge.evaluate(model, split, test, reference=reference, seed=3, device="cpu")
    seed = derive_seed(3, "attack")

    def told(model, samples):
        logits = predict(model, samples, Fabric(accelerator="cpu", devices=1)).numpy()
        labels = samples.labels.numpy()
        return logits.argmax(1) == labels, true_class_confidence(logits, labels), labels == 1

    def by_hand(model):
        right, confidence, gone = told(model, samples)
        test_right, test_confidence, test_gone = told(model, test)
        ids = [name for name, out in zip(samples.ids, gone, strict=True) if not out]
        retain = draws.by_id(confidence[~gone], ids)
        unseen = draws.places(test_confidence[~test_gone], np.flatnonzero(~test_gone))
        return {
            "ua": 100 - 100 * right[gone].mean(),
            "ra": 100 * right[~gone].mean(),
            "ta": 100 * test_right[~test_gone].mean(),
            "ta_forgotten": 100 * test_right[test_gone].mean(),
            "mia_efficacy": statistics.fmean(
                draws.efficacy(retain, unseen, confidence[gone], seed)
            ),
            "mia_privacy": statistics.fmean(draws.privacy(retain, unseen, seed)),
        }

    ours, theirs = by_hand(model), by_hand(reference)
    assert found.gap == pytest.approx(gap(ours, theirs))
    assert found.gap["avg"] > 0
    distance = weight_distance(dict(model.named_parameters()), dict(reference.named_parameters()))
    assert found.metrics == pytest.approx(ours | {"weight_distance": distance})


def test_evaluate_keeps_the_draws_and_prints_their_spread(samples):
    split = expunge.split(samples, forget=expunge.by_class(1))
    test = subset(samples, torch.arange(7, 47))
    found = expunge.evaluate(small_network(1), split, test, seed=3, device="cpu")
    assert set(found.draws) == {"mia_efficacy", "mia_privacy"}
    for name, each in found.draws.items():
        assert found.metrics[name] == each.mean
        text = f"±{each.standard_error:.2f}, median {each.percentile(50):.2f} of {each.n} draws"
        assert text in str(found)
        assert (f"{text}, which disagree" in str(found)) != each.agree
