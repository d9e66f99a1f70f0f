import numpy as np
import pytest

from expunge.errors import DataError, ForgetError
from expunge.metrics.membership.attacks import DEFAULT_ATTACKS
from expunge.metrics.membership.audit import run_attacks
from expunge.metrics.membership.protocol import mia_efficacy, mia_privacy
from expunge.metrics.summary import Predictions, attack_results, confidence_histograms, evaluate


def make(seed=0, n=90, m=60, classes=3, sure=2.0):
    rng = np.random.default_rng(seed)

    def part(size, sure):
        labels = rng.integers(0, classes, size)
        logits = rng.normal(size=(size, classes)).astype(np.float32)
        logits[np.arange(size), labels] += sure
        return logits, labels

    (train_logits, train_labels), (test_logits, test_labels) = part(n, sure), part(m, sure / 2)
    return Predictions(
        train_logits=train_logits,
        train_labels=train_labels,
        test_logits=test_logits,
        test_labels=test_labels,
    )


def share_right(logits, labels, chosen):
    right = [int(np.argmax(logits[i])) == int(labels[i]) for i in chosen]
    return 100 * sum(right) / len(right)


def confidences(logits, labels, chosen):
    rows = logits.astype(np.float64)
    return np.array([np.exp(rows[i] - np.logaddexp.reduce(rows[i]))[labels[i]] for i in chosen])


def oracle(p, forget, classes, seed):
    """Every metric from lists of sample numbers."""
    gone = set(forget.tolist())
    retain = [i for i in range(len(p.train_labels)) if i not in gone]
    left = [i for i in range(len(p.test_labels)) if p.test_labels[i] not in classes]
    lost = [i for i in range(len(p.test_labels)) if p.test_labels[i] in classes]
    of_retain = confidences(p.train_logits, p.train_labels, retain)
    of_forget = confidences(p.train_logits, p.train_labels, sorted(gone))
    of_test = confidences(p.test_logits, p.test_labels, left)
    return {
        "ua": 100 - share_right(p.train_logits, p.train_labels, gone),
        "ra": share_right(p.train_logits, p.train_labels, retain),
        "ta": share_right(p.test_logits, p.test_labels, left),
        "ta_forgotten": share_right(p.test_logits, p.test_labels, lost) if lost else None,
        "mia_efficacy": mia_efficacy(of_retain, of_test, of_forget, seed),
        "mia_privacy": mia_privacy(of_retain, of_test, seed),
    }


@pytest.mark.parametrize("seed", range(3))
def test_random_forgetting_keeps_the_whole_test_set(seed):
    p = make(seed)
    forget = np.random.default_rng(seed).permutation(90)[:9]
    found = evaluate(p, forget, (), seed)
    assert found == pytest.approx(oracle(p, forget, (), seed))
    assert found["ta_forgotten"] is None


@pytest.mark.parametrize("classes", [(0,), (2,), (0, 2)])
def test_class_forgetting_sets_the_test_images_of_the_class_apart(classes):
    p = make(4)
    forget = np.flatnonzero(np.isin(p.train_labels, classes))
    found = evaluate(p, forget, classes, 1)
    assert found == pytest.approx(oracle(p, forget, classes, 1))
    assert found["ta"] != evaluate(p, forget, (), 1)["ta"]


def test_a_test_set_without_the_forgotten_class_has_no_accuracy_on_it():
    p = make(5)
    keep = p.test_labels != 1
    p = Predictions(
        train_logits=p.train_logits,
        train_labels=p.train_labels,
        test_logits=p.test_logits[keep],
        test_labels=p.test_labels[keep],
    )
    assert evaluate(p, np.flatnonzero(p.train_labels == 1), (1,), 0)["ta_forgotten"] is None


def test_values_are_plain_percentages():
    p = make()
    found = evaluate(p, np.arange(9), (1,), 0)
    assert list(found) == ["ua", "ra", "ta", "ta_forgotten", "mia_efficacy", "mia_privacy"]
    assert all(type(value) is float and 0 <= value <= 100 for value in found.values())


def test_histograms_are_shares_of_each_set():
    p = make(6)
    forget = np.arange(10, 40)
    found = confidence_histograms(p, forget, bins=5)
    sets = {
        "forget": confidences(p.train_logits, p.train_labels, forget),
        "retain": confidences(p.train_logits, p.train_labels, [*range(10), *range(40, 90)]),
        "test": confidences(p.test_logits, p.test_labels, range(60)),
    }
    for name, values in sets.items():
        counts = [0] * 5
        for value in values:
            counts[min(int(value * 5), 4)] += 1
        assert found[name] == pytest.approx([100 * c / len(values) for c in counts])
        assert sum(found[name]) == pytest.approx(100)
    assert len(confidence_histograms(p, forget)["test"]) == 20


def test_full_confidence_is_in_the_last_bin():
    certain = np.float32([[1000, 0]] * 4)
    p = Predictions(
        train_logits=certain,
        train_labels=np.array([0, 0, 1, 1]),
        test_logits=certain,
        test_labels=np.zeros(4, np.int64),
    )
    found = confidence_histograms(p, np.array([0, 2]), bins=2)
    assert found == {"forget": [50.0, 50.0], "retain": [50.0, 50.0], "test": [0.0, 100.0]}


@pytest.mark.parametrize(
    ("forget", "match"),
    [
        (np.array([], np.int64), "expected 1 to 89 samples to forget, got 0"),
        (np.arange(90), "expected 1 to 89 samples to forget, got 90"),
        (np.array([3, 90, -1]), r"outside 0\.\.89: 90, -1"),
        (np.array([0.5]), r"integer indices, got float64 \(1,\)"),
        (np.ones(90, bool), r"integer indices, got bool \(90,\)"),
        (np.array([[1]]), r"got int64 \(1, 1\)"),
    ],
)
def test_forget_sets_that_are_none_are_refused(forget, match):
    with pytest.raises(ForgetError, match=match):
        evaluate(make(), forget, (), 0)
    with pytest.raises(ForgetError, match=match):
        confidence_histograms(make(), forget)


def test_classes_that_are_not_there_are_refused():
    """-1 would index from the end."""
    for wrong in (-1, 3):
        with pytest.raises(ForgetError, match=rf"forgotten classes outside 0\.\.2: {wrong}"):
            evaluate(make(), np.arange(5), (wrong,), 0)


def test_no_remaining_test_image_is_refused():
    with pytest.raises(DataError, match="every test sample is of a forgotten class"):
        evaluate(make(), np.arange(5), (0, 1, 2), 0)


def test_no_bin_is_refused():
    with pytest.raises(DataError, match="at least 1 bin, got 0"):
        confidence_histograms(make(), np.arange(5), bins=0)


def test_predictions_must_fit_together():
    p = make()
    good = {
        "train_logits": p.train_logits,
        "train_labels": p.train_labels,
        "test_logits": p.test_logits,
        "test_labels": p.test_labels,
    }
    with pytest.raises(DataError, match="training logits have 3 classes, test logits 4"):
        Predictions(**good | {"test_logits": np.zeros((60, 4), np.float32)})
    with pytest.raises(DataError, match=r"got \(60, 3\) and \(90,\)"):
        Predictions(**good | {"test_labels": p.train_labels})
    with pytest.raises(DataError, match="labels must be in"):
        Predictions(**good | {"train_labels": p.train_labels + 1})


def attacked(p, forget, classes, seed):
    """The attack on lists of sample numbers: training samples first, then test samples."""
    total = len(p.train_labels)
    parts = ["forget" if i in set(forget.tolist()) else "retain" for i in range(total)]
    parts += ["unseen"] * len(p.test_labels)
    return run_attacks(
        np.concatenate((p.train_logits, p.test_logits)),
        np.concatenate((p.train_labels, p.test_labels)),
        np.array([part == "retain" for part in parts]),
        np.array([part == "forget" for part in parts]),
        seed,
        forgotten_classes=classes,
    )


@pytest.mark.parametrize("classes", [(), (1,)])
def test_attacks_know_retained_and_test_samples(classes):
    p = make(6)
    forget = np.flatnonzero(np.isin(p.train_labels, classes)) if classes else np.arange(9)
    found = attack_results(p, forget, classes, 2)
    assert found == attacked(p, forget, classes, 2)
    assert list(found) == [attack.name for attack in DEFAULT_ATTACKS]
    (one,) = attack_results(p, forget, classes, 2, attacks=DEFAULT_ATTACKS[1:2]).values()
    assert one == found[DEFAULT_ATTACKS[1].name]


def test_the_attack_of_the_table_is_among_them():
    """With as many test as retained samples nothing is drawn, and the two are the same number."""
    p = make(7, n=110, m=100)
    forget = np.arange(10)
    found = attack_results(p, forget, (), 0)["confidence_svc"]["efficacy"]
    assert found == evaluate(p, forget, (), 1)["mia_efficacy"]


def test_attacks_refuse_what_evaluation_refuses():
    with pytest.raises(ForgetError, match="got 0"):
        attack_results(make(), np.array([], np.int64), (), 0)
    with pytest.raises(ForgetError, match=r"forgotten classes outside 0\.\.2: 7"):
        attack_results(make(), np.arange(5), (7,), 0)
    with pytest.raises(DataError, match=r"at least 2 members and 2 non-members .* 85 and 0"):
        attack_results(make(), np.arange(5), (0, 1, 2), 0)
