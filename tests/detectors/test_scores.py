"""The scores of detectors against their equations, spelt out over lists of samples."""

import math
from dataclasses import replace

import numpy as np
import pytest

from expunge.detectors.activation_clustering import ClusteringConfig, activation_clustering
from expunge.detectors.evidence import SampleEvidence
from expunge.detectors.example import example_evidence
from expunge.detectors.spectral_signatures import SpectralConfig, spectral_signatures
from expunge.detectors.strip import StripConfig, strip


def of_class(evidence, label):
    rows = [row for row in range(len(evidence)) if evidence.labels[row] == label]
    return rows, [row for row in evidence.trusted.tolist() if evidence.labels[row] == label]


@pytest.mark.parametrize("centre", ["class", "trusted"])
def test_spectral_signatures_by_the_papers_algorithm(centre):
    """The top eigenvector of the covariance about the centre, and the squared projections on it."""
    evidence = example_evidence(4)
    expected = np.zeros(120)
    for label in range(3):
        rows, known = of_class(evidence, label)
        middle = known if centre == "trusted" else rows
        mean = sum(evidence.features[row] for row in middle) / len(middle)
        covariance = np.zeros((8, 8))
        for row in rows:
            difference = evidence.features[row] - mean
            covariance += np.outer(difference, difference)
        top = np.linalg.eigh(covariance)[1][:, -1]
        for row in rows:
            expected[row] = float((evidence.features[row] - mean) @ top) ** 2
        if centre == "trusted":
            expected[rows] /= sum(expected[row] for row in known) / (len(known) - 1)
    found = spectral_signatures(evidence, SpectralConfig(centre=centre))
    assert np.allclose(found, expected)


def test_where_most_of_a_class_is_poisoned_trusted_samples_say_what_is_clean():
    """The paper's centre lies between the two groups, so that its score tells nothing."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 5))
    features[80:] += [6, 0, 0, 0, 0]
    labels = np.zeros(200, dtype=np.int64)
    evidence = SampleEvidence(
        labels=labels, num_classes=2, features=features, trusted=np.arange(10)
    )
    poisoned = labels.astype(bool) | (np.arange(200) >= 80)

    def auroc(scores):
        return (scores[poisoned][:, None] > scores[~poisoned]).mean()

    assert auroc(spectral_signatures(evidence, SpectralConfig())) > 0.99
    assert auroc(spectral_signatures(evidence, SpectralConfig(centre="class"))) < 0.4
    assert auroc(activation_clustering(evidence, ClusteringConfig())) > 0.99
    # Without a trusted sample in the class, the larger cluster counts as clean, as in the paper.
    elsewhere = replace(evidence, labels=np.where(np.arange(200) < 10, 1, 0))
    assert auroc(activation_clustering(elsewhere, ClusteringConfig())) < 0.4


def lloyd(points, centres):
    """2-means as it is defined: the nearest centre, the mean of those nearest, until it stays."""
    while True:
        nearest = [
            min((0, 1), key=lambda side: math.dist(point, centres[side])) for point in points
        ]
        moved = [
            np.mean([p for p, side in zip(points, nearest, strict=True) if side == own], axis=0)
            for own in (0, 1)
        ]
        if np.allclose(moved, centres):
            return nearest, moved
        centres = moved


def test_activation_clustering_by_its_definition():
    evidence = example_evidence(4)
    expected = np.zeros(120)
    for label in range(3):
        rows, known = of_class(evidence, label)
        own = evidence.features[rows]
        values, vectors = np.linalg.eigh(np.cov(own.T))
        reduced = (own - own.mean(0)) @ vectors[:, np.argsort(-values)[:2]]
        halves = [reduced[reduced[:, 0] <= 0].mean(0), reduced[reduced[:, 0] > 0].mean(0)]
        side, centres = lloyd(reduced, halves)
        places = [rows.index(row) for row in known]
        middle = reduced[places].mean(0)
        clean = 0 if math.dist(middle, centres[0]) < math.dist(middle, centres[1]) else 1
        across = (centres[1 - clean] - centres[clean]) / math.dist(*centres)
        along = [float((point - centres[clean]) @ across) for point in reduced]
        means = {
            own: np.mean([a for a, s in zip(along, side, strict=True) if s == own])
            for own in (0, 1)
        }
        variance = np.mean([(a - means[s]) ** 2 for a, s in zip(along, side, strict=True)])
        trust = np.mean([side[place] != clean for place in places])
        share = np.mean([each != clean for each in side])
        for row, value in zip(rows, along, strict=True):
            expected[row] = value / math.sqrt(variance) * max(0.0, 1 - trust / share)
    found = activation_clustering(evidence, ClusteringConfig(components=2))
    assert np.allclose(found, expected)
    assert (found > 5).sum() > 20


def test_samples_that_are_all_alike_have_no_suspects():
    evidence = replace(example_evidence(), features=np.ones((120, 8)))
    assert not activation_clustering(evidence, ClusteringConfig()).any()
    assert not spectral_signatures(evidence, SpectralConfig()).any()


@pytest.mark.parametrize("blend", ["sum", "mean"])
def test_strip_by_the_papers_equation(blend):
    evidence = example_evidence(4)
    pixels = evidence.inputs(np.arange(120)).astype(np.float64)
    others = pixels[evidence.trusted[[0, 2, 5, 7, 10, 12]]]
    expected = []
    for own in pixels:
        entropies = []
        for other in others:
            mixed = (own + other) / 2
            if blend == "sum":
                mixed = np.minimum(np.maximum(own + other, others.min()), others.max())
            logits = evidence.predict(mixed[None].astype(np.float32))[0]
            exponentials = [math.exp(z - max(logits)) for z in logits]
            p = [e / sum(exponentials) for e in exponentials]
            entropies.append(-sum(each * math.log2(each) for each in p if each > 0))
        expected.append(-sum(entropies) / len(entropies))
    found = strip(evidence, StripConfig(blends=6, blend=blend))
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_strip_takes_the_trusted_samples_that_there_are():
    evidence = example_evidence()
    few = replace(evidence, trusted=evidence.trusted[:4])
    all_of_them = strip(few, StripConfig())
    assert np.array_equal(all_of_them, strip(few, StripConfig(blends=4)))
    assert not np.array_equal(all_of_them, strip(evidence, StripConfig()))


def test_strip_blends_with_all_classes_where_trusted_samples_are_in_their_order():
    """As those of a folder of images are: the first few are of one class."""
    evidence = example_evidence()
    by_class = evidence.trusted[np.argsort(evidence.labels[evidence.trusted], kind="stable")]
    asked = []

    def inputs(rows):
        asked.append(rows)
        return evidence.inputs(rows)

    strip(replace(evidence, trusted=by_class, inputs=inputs), StripConfig(blends=3))
    assert evidence.labels[asked[0]].tolist() == [0, 1, 2]
