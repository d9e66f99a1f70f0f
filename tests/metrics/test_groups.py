"""Accuracy by group against lists of samples, and against fairlearn."""

import numpy as np
import pytest

from expunge.errors import DataError
from expunge.metrics import get_metric
from expunge.metrics.evidence import Evidence, Predictions
from expunge.metrics.metric import measure

NAMES = ("worst_group_accuracy", "accuracy_difference", "group_accuracy")


def evidence(seed=0, samples=200, classes=4, groups=3, **more):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=samples)
    marks = rng.integers(groups, size=samples)
    logits = rng.normal(size=(samples, classes)).astype(np.float32)
    logits[np.arange(samples), labels] += 1.0
    # The first mark looks like the first class.
    logits[marks == 0, 0] += 1.5
    return Evidence(predictions={"groups": Predictions(logits, labels, marks)}, **more)


def by_hand(given, classes, groups, left_out=()):
    there = given.predictions_of("groups")
    found = {}
    for mark in range(groups):
        for label in range(classes):
            right = [
                int(np.argmax(row)) == label
                for row, own, at in zip(there.logits, there.labels, there.groups, strict=True)
                if (own, at) == (label, mark)
            ]
            if label not in left_out:
                found[mark, label] = 100 * sum(right) / len(right) if right else None
    return found


def test_accuracy_is_counted_in_every_group():
    given = evidence(class_names=("w", "x", "y", "z"), group_names=("red", "green", "blue"))
    expected = by_hand(given, 4, 3)
    found = measure(get_metric("group_accuracy"), given).value
    assert list(found) == ["red", "green", "blue"]
    for mark, name in enumerate(found):
        assert list(found[name]) == ["w", "x", "y", "z"]
        assert list(found[name].values()) == [expected[mark, label] for label in range(4)]
    worst = measure(get_metric("worst_group_accuracy"), given).value
    assert worst == min(expected.values())


@pytest.mark.parametrize("seed", range(3))
def test_they_agree_with_fairlearn(seed):
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import accuracy_score

    given = evidence(seed)
    there = given.predictions_of("groups")
    called = there.logits.argmax(1)

    def frame(attributes):
        return MetricFrame(
            metrics=accuracy_score,
            y_true=there.labels,
            y_pred=called,
            sensitive_features=attributes,
        )

    marks = frame(there.groups)
    pairs = frame({"mark": there.groups, "label": there.labels})
    values = {name: measure(get_metric(name), given).value for name in NAMES}
    assert values["accuracy_difference"] == pytest.approx(100 * marks.difference())
    assert values["worst_group_accuracy"] == pytest.approx(100 * pairs.group_min())
    flat = {
        (int(m), int(c)): v for m, row in values["group_accuracy"].items() for c, v in row.items()
    }
    assert flat == pytest.approx({at: 100 * value for at, value in pairs.by_group.items()})


def test_an_empty_group_is_null_and_is_not_the_worst():
    labels, marks = np.array([0, 0, 1]), np.array([0, 1, 0])
    logits = np.eye(2, dtype=np.float32)[[0, 1, 1]]
    given = Evidence(predictions={"groups": Predictions(logits, labels, marks)})
    assert measure(get_metric("group_accuracy"), given).value == {
        "0": {"0": 100.0, "1": 100.0},
        "1": {"0": 0.0, "1": None},
    }
    assert measure(get_metric("worst_group_accuracy"), given).value == 0.0
    assert measure(get_metric("accuracy_difference"), given).value == 100.0


def test_a_class_forgotten_as_a_whole_is_left_out():
    given = evidence(classes=3, samples=90)
    there = given.predictions_of("groups")
    gone = Evidence(predictions={"groups": there}, classes=(0,))
    expected = by_hand(gone, 3, 3, left_out=(0,))
    assert measure(get_metric("worst_group_accuracy"), gone).value == min(expected.values())
    found = measure(get_metric("group_accuracy"), gone).value
    assert all(list(row) == ["1", "2"] for row in found.values())
    kept = there.labels != 0
    right = (there.logits.argmax(1) == there.labels)[kept]
    rates = [100 * right[there.groups[kept] == mark].mean() for mark in range(3)]
    assert measure(get_metric("accuracy_difference"), gone).value == pytest.approx(
        max(rates) - min(rates)
    )


@pytest.mark.parametrize("name", NAMES[:2])
def test_one_group_alone_has_no_worst(name):
    labels, marks = np.zeros(5, np.int64), np.zeros(5, np.int64)
    given = Evidence(
        predictions={"groups": Predictions(np.eye(2, dtype=np.float32)[labels], labels, marks)}
    )
    assert "fewer than two groups" in measure(get_metric(name), given).reason


def test_samples_without_groups_are_refused():
    there = Predictions(np.eye(2, dtype=np.float32), np.array([0, 1]))
    with pytest.raises(DataError, match="not said which group"):
        measure(get_metric(NAMES[0]), Evidence(predictions={"groups": there}))
    with pytest.raises(DataError, match="expected a group for each of 2 samples"):
        Predictions(np.eye(2, dtype=np.float32), np.array([0, 1]), np.array([0]))


def test_only_the_mark_of_another_class_conflicts():
    given = evidence(classes=3, groups_are_marks=True)
    there = given.predictions_of("groups")
    right = [
        int(np.argmax(row)) == label
        for row, label, mark in zip(there.logits, there.labels, there.groups, strict=True)
        if mark != label
    ]
    found = measure(get_metric("conflicting_accuracy"), given).value
    assert found == 100 * sum(right) / len(right)
    other = Evidence(predictions={"groups": there})
    assert "are not marks of classes" in measure(get_metric("conflicting_accuracy"), other).reason
