"""Every metric against its definition, spelt out over lists of sample numbers."""

import math
import statistics

import numpy as np
import pytest
import torch
from tests.oracles import draws

from expunge.errors import DataError, MaskError
from expunge.metrics import get_metric
from expunge.metrics.confidence import BINS, histogram
from expunge.metrics.evidence import Evidence, Predictions, flags_of
from expunge.metrics.membership.attacks import DEFAULT_ATTACKS
from expunge.metrics.membership.audit import run_attacks
from expunge.metrics.membership.protocol import mia_efficacy
from expunge.metrics.metric import measure
from expunge.sparsity.thresholds import THRESHOLDS

OF_SAMPLES = (
    *("ua", "ra", "ta", "ta_forgotten"),
    *("mia_efficacy", "mia_privacy", "mia_efficacy_one_draw"),
)


def answers(rng, size, sure, classes=3):
    labels = rng.integers(0, classes, size)
    logits = rng.normal(size=(size, classes)).astype(np.float32)
    logits[np.arange(size), labels] += sure
    return Predictions(logits, labels)


def predictions(seed=0, n=90, m=60, sure=2.0):
    rng = np.random.default_rng(seed)
    train, test = answers(rng, n, sure), answers(rng, m, sure / 2)
    before = {
        f"base_{name}": Predictions(
            rng.normal(size=each.logits.shape).astype(np.float32), each.labels
        )
        for name, each in (("train", train), ("test", test))
    }
    return {"train": train, "test": test, **before}


def evidence(p, forget, classes=(), seed=0, gone=()):
    """`forget` and `gone` are indices: of those to forget, and of those forgotten before."""
    total = len(p["train"])
    flags = flags_of(np.asarray(forget), total)
    before = flags_of(np.asarray(gone, np.int64), total)
    return Evidence(
        predictions=p, forget=flags & ~before, retain=~flags & ~before, classes=classes, seed=seed
    )


def values(e, names=OF_SAMPLES):
    return {name: measure(get_metric(name), e).value for name in names}


def share_right(p, chosen):
    right = [int(np.argmax(p.logits[i])) == int(p.labels[i]) for i in chosen]
    return 100 * sum(right) / len(right)


def confidences(p, chosen):
    rows = p.logits.astype(np.float64)
    return np.array([np.exp(rows[i] - np.logaddexp.reduce(rows[i]))[p.labels[i]] for i in chosen])


def oracle(p, forget, classes, seed, gone=()):
    """Every metric of samples from lists of their numbers."""
    train, test = p["train"], p["test"]
    forget = [i for i in sorted(forget) if i not in gone]
    retain = [i for i in range(len(train)) if i not in forget and i not in gone]
    left = [i for i in range(len(test)) if test.labels[i] not in classes]
    lost = [i for i in range(len(test)) if test.labels[i] in classes]
    of_retain, of_forget = confidences(train, retain), confidences(train, forget)
    of_test = confidences(test, left)
    retained, unseen = draws.places(of_retain, retain), draws.places(of_test, left)
    return {
        "ua": 100 - share_right(train, forget),
        "ra": share_right(train, retain),
        "ta": share_right(test, left),
        "ta_forgotten": share_right(test, lost) if lost else None,
        "mia_efficacy": statistics.fmean(draws.efficacy(retained, unseen, of_forget, seed)),
        "mia_privacy": statistics.fmean(draws.privacy(retained, unseen, seed)),
        "mia_efficacy_one_draw": mia_efficacy(of_retain, of_test, of_forget, seed),
    }


@pytest.mark.parametrize("seed", range(3))
def test_random_forgetting_keeps_the_whole_test_set(seed):
    p = predictions(seed)
    forget = np.random.default_rng(seed).permutation(90)[:9]
    found = values(evidence(p, forget, seed=seed))
    assert found == pytest.approx(oracle(p, forget.tolist(), (), seed))
    assert measure(get_metric("ta_forgotten"), evidence(p, forget)).reason == (
        "no class is forgotten in full"
    )


@pytest.mark.parametrize("classes", [(0,), (2,), (0, 2)])
def test_class_forgetting_sets_the_test_images_of_the_class_apart(classes):
    p = predictions(4)
    forget = np.flatnonzero(np.isin(p["train"].labels, classes))
    found = values(evidence(p, forget, classes, 1))
    assert found == pytest.approx(oracle(p, forget.tolist(), classes, 1))
    assert found["ta"] != values(evidence(p, forget, (), 1))["ta"]


def test_samples_that_were_forgotten_before_count_for_nothing():
    p = predictions(3)
    forget, gone = list(range(9)), list(range(5, 40))
    found = values(evidence(p, forget, gone=gone))
    assert found == pytest.approx(oracle(p, forget, (), 0, gone=gone))
    assert found != values(evidence(p, forget))
    others = [i for i in range(90) if i not in gone]
    without = {**p, "train": p["train"].at(flags_of(np.array(others), 90))}
    without["base_train"] = p["base_train"].at(flags_of(np.array(others), 90))
    left = evidence(without, list(range(5)))
    with_them = evidence(p, forget, gone=gone)
    for name in ("attacks", "confidence"):
        assert values(with_them, (name,)) == values(left, (name,))


def test_a_test_set_without_the_forgotten_class_has_no_accuracy_on_it():
    p = predictions(5)
    p = {**p, "test": p["test"].at(p["test"].labels != 1)}
    e = evidence(p, np.flatnonzero(p["train"].labels == 1), (1,))
    found = measure(get_metric("ta_forgotten"), e)
    assert (found.value, found.reason) == (
        None,
        "the test set has no sample of the forgotten classes",
    )


def test_without_a_remaining_test_sample_there_is_no_value_and_the_reason():
    e = evidence(predictions(), np.arange(5), (0, 1, 2))
    reasons = {
        "ta": "every test sample is of a forgotten class",
        "mia_efficacy": "every test sample is of a forgotten class",
        "mia_privacy": "every test sample is of a forgotten class",
        "attacks": "the attack needs at least 2 members and 2 non-members to learn from, "
        "got 85 and 0",
    }
    for name, reason in reasons.items():
        found = measure(get_metric(name), e)
        assert found.value is None
        assert reason in found.reason


def test_with_one_of_each_what_can_be_measured_is():
    p = predictions()
    few = {name: each.at(np.arange(len(each)) < 2) for name, each in p.items()}
    few["test"] = p["test"].at(np.arange(len(p["test"])) < 1)
    e = evidence(few, np.array([0]))
    for name in ("ua", "ra", "ta", "confidence"):
        assert measure(get_metric(name), e).value is not None
    for name in ("mia_efficacy", "mia_privacy", "attacks"):
        assert "needs at least 2" in measure(get_metric(name), e).reason


def test_histograms_are_shares_of_each_set():
    p = predictions(6)
    forget = np.arange(10, 40)
    found = values(evidence(p, forget), ("confidence",))["confidence"]
    sets = {"forget": ("train", forget), "retain": ("train", [*range(10), *range(40, 90)])}
    sets["test"] = ("test", range(60))
    for when, prefix in (("before", "base_"), ("after", "")):
        for name, (population, chosen) in sets.items():
            counts = [0] * BINS
            for value in confidences(p[prefix + population], chosen):
                counts[min(int(value * BINS), BINS - 1)] += 1
            assert found[when][name] == pytest.approx([100 * c / len(chosen) for c in counts])
            assert sum(found[when][name]) == pytest.approx(100)


def test_full_confidence_is_in_the_last_bin():
    certain = Predictions(np.float32([[1000, 0]] * 4), np.array([0, 0, 1, 0]))
    assert histogram(certain, bins=2) == [25.0, 75.0]
    with pytest.raises(DataError, match="at least 1 bin, got 0"):
        histogram(certain, bins=0)


@pytest.mark.parametrize("classes", [(), (1,)])
def test_attacks_know_retained_and_test_samples(classes):
    p = predictions(6)
    train, test = p["train"], p["test"]
    forget = np.flatnonzero(np.isin(train.labels, classes)) if classes else np.arange(9)
    parts = ["forget" if i in set(forget.tolist()) else "retain" for i in range(90)]
    parts += ["unseen"] * 60
    expected = run_attacks(
        np.concatenate((train.logits, test.logits)),
        np.concatenate((train.labels, test.labels)),
        np.array([part == "retain" for part in parts]),
        np.array([part == "forget" for part in parts]),
        2,
        forgotten_classes=classes,
    )
    found = values(evidence(p, forget, classes, 2), ("attacks",))["attacks"]
    assert found == expected
    assert list(found) == [attack.name for attack in DEFAULT_ATTACKS]


def test_the_attack_of_the_table_is_among_them():
    """With as many test as retained samples nothing is drawn, and the two are the same number."""
    e = evidence(predictions(7, n=110, m=100), np.arange(10))
    found = values(e, ("attacks", "mia_efficacy"))
    assert found["attacks"]["confidence_svc"]["efficacy"] == found["mia_efficacy"]


def network(seed):
    g = torch.Generator().manual_seed(seed)
    return {"a.weight": torch.randn(4, 3, generator=g), "a.bias": torch.randn(4, generator=g)}


def of_weights(**roles):
    return {role: lambda state=state: state for role, state in roles.items()}


def test_distances_are_norms_of_differences_of_parameters():
    model, base, reference = network(0), network(1), network(2)
    mask = {"a.weight": torch.arange(12).reshape(4, 3) % 2 == 0}
    base_and_buffers = base | {"norm.running_mean": torch.ones(4)}
    e = Evidence(
        weights=of_weights(model=model, base=base_and_buffers, reference=reference), mask=mask
    )
    squares = {"drift": 0.0, "weight_distance": 0.0}
    for name, weight in model.items():
        for i, w in enumerate(weight.flatten().tolist()):
            if name not in mask or mask[name].flatten()[i]:
                squares["drift"] += (w - base[name].flatten()[i].item()) ** 2
            squares["weight_distance"] += (w - reference[name].flatten()[i].item()) ** 2
    expected = {name: math.sqrt(square) for name, square in squares.items()}
    assert values(e, ("drift", "weight_distance")) == pytest.approx(expected, rel=1e-12)


def test_without_a_reference_the_distance_is_none_with_the_reason():
    e = Evidence(weights=of_weights(model=network(0)), missing={"reference": "no reference"})
    found = measure(get_metric("weight_distance"), e)
    assert (found.value, found.reason) == (None, "no reference")


def test_sparsity_counts_zeros_and_small_weights_of_the_counted_parameters():
    state = {"w": torch.tensor([0.0, 5e-5, -0.005, 0.5]), "bias": torch.zeros(9)}
    e = Evidence(weights=of_weights(model=state), counted=("w",))
    small = [sum(abs(x) <= t for x in state["w"].tolist()) / 4 for t in THRESHOLDS]
    found = values(e, ("sparsity_at",))["sparsity_at"]
    assert found == {f"{t:g}": share for t, share in zip(THRESHOLDS, small, strict=True)}
    assert found["0"] == 0.25
    for counted, match in (((), "got none"), (("x",), "got x")):
        with pytest.raises(MaskError, match=match):
            values(Evidence(weights=e.weights, counted=counted), ("sparsity_at",))


@pytest.mark.parametrize("target", range(3))
def test_attack_success_is_the_share_called_the_target(target):
    triggered = answers(np.random.default_rng(target), 50, 0.5)
    called = [int(np.argmax(row)) == target for row in triggered.logits]
    others = [hit for hit, label in zip(called, triggered.labels, strict=True) if label != target]
    found = values(
        Evidence(predictions={"triggered": triggered}, target=target), ("asr", "asr_all")
    )
    assert found == pytest.approx(
        {"asr": 100 * sum(others) / len(others), "asr_all": 100 * sum(called) / 50}
    )
    assert found["asr"] != found["asr_all"]


def test_attack_success_without_a_target_or_a_victim_is_none():
    triggered = Predictions(np.float32([[1, 0]] * 3), np.zeros(3, np.int64))
    e = Evidence(predictions={"triggered": triggered})
    for name in ("asr", "asr_all"):
        assert "no edit with a target" in measure(get_metric(name), e).reason
    e = Evidence(predictions={"triggered": triggered}, target=0)
    assert "every triggered sample" in measure(get_metric("asr"), e).reason
    assert values(e, ("asr_all",)) == {"asr_all": 100.0}


def test_old_labels_are_counted_among_corrected_samples():
    rng = np.random.default_rng(0)
    now, before = rng.integers(4, size=(2, 60))
    before[::2] = now[::2]
    logits = rng.normal(size=(60, 4)).astype(np.float32)
    forget = np.arange(60) < 40
    evidence = Evidence(
        predictions={
            "train": Predictions(logits, now),
            "base_train": Predictions(logits[::-1].copy(), before),
        },
        forget=forget,
        retain=~forget,
    )
    kept = [
        int(np.argmax(row)) == old
        for row, new, old, chosen in zip(logits, now, before, forget, strict=True)
        if chosen and new != old
    ]
    assert values(evidence, ("old_label",)) == {
        "old_label": pytest.approx(100 * sum(kept) / len(kept))
    }
