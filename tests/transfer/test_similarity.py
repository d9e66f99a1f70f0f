"""The similarity of features against its definition, one cosine at a time."""

import numpy as np

from expunge.transfer.similarity import class_similarity


def by_hand(source, labels, target, classes):
    means = {c: source[labels == c].mean(0) for c in range(classes) if (labels == c).any()}
    centre = sum(means.values()) / len(means)
    found = []
    for index in range(classes):
        if index not in means:
            found.append(0.0)
            continue
        own = means[index] - centre
        cosines = [
            own @ (row - centre) / np.linalg.norm(own) / np.linalg.norm(row - centre)
            for row in target
        ]
        found.append(sum(cosines) / len(cosines))
    return found


def test_it_is_the_mean_cosine_to_a_class_mean():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(30, 5)), rng.normal(size=(7, 5)) + 1
    labels = np.arange(30) % 4
    found = class_similarity(source, labels, target, 4)
    np.testing.assert_allclose(found, by_hand(source, labels, target, 4), rtol=1e-12)


def test_a_class_without_samples_is_like_nothing_and_changes_nothing():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(30, 5)), rng.normal(size=(7, 5)) + 1
    labels = np.array([0, 1, 3])[np.arange(30) % 3]
    found = class_similarity(source, labels, target, 4)
    assert found[2] == 0
    np.testing.assert_allclose(found, by_hand(source, labels, target, 4), rtol=1e-12)


def test_the_class_that_the_target_looks_like_is_first():
    rng = np.random.default_rng(1)
    centres = 5 * rng.normal(size=(3, 6))
    labels = np.arange(60) % 3
    source = centres[labels] + rng.normal(size=(60, 6))
    target = centres[1] + rng.normal(size=(20, 6))
    assert class_similarity(source, labels, target, 3).argmax() == 1
