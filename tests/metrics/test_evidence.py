import numpy as np
import pytest

from expunge.errors import DataError, ForgetError
from expunge.metrics.evidence import Evidence, Predictions, flags_of
from expunge.metrics.example import example_evidence
from expunge.metrics.metric import NEEDS


def of(labels, classes=3):
    return Predictions(np.zeros((len(labels), classes), np.float32), np.asarray(labels))


TRAIN = of([0, 1, 2, 0, 1])
FORGET = np.array([True, False, False, False, True])
RETAIN = np.array([False, True, True, False, False])


def test_what_is_neither_forgotten_nor_retained_is_in_neither():
    e = Evidence(predictions={"train": TRAIN}, forget=FORGET, retain=RETAIN)
    assert e.forgotten().labels.tolist() == [0, 1]
    assert e.retained().labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("forget", "retain", "error", "match"),
    [
        (FORGET & False, ~FORGET, ForgetError, r"1 to 4 samples to forget .*, got 0 and 3"),
        (FORGET | True, FORGET & False, ForgetError, "got 5 and 0"),
        (FORGET, RETAIN | FORGET, ForgetError, "got 2 that are both"),
        (FORGET[:4], RETAIN, DataError, "forget to flag 5 samples of train, got 4"),
        (FORGET.astype(int), RETAIN, DataError, r"forget must be bool \(N,\), got int64"),
    ],
)
def test_flags_that_divide_nothing_are_refused(forget, retain, error, match):
    with pytest.raises(error, match=match):
        Evidence(predictions={"train": TRAIN}, forget=forget, retain=retain)


def test_classes_that_are_not_there_are_refused():
    """-1 would index from the end."""
    for wrong in (-1, 3):
        with pytest.raises(ForgetError, match=rf"forgotten classes outside 0\.\.2: {wrong}"):
            Evidence(predictions={"train": TRAIN}, classes=(wrong,))
        with pytest.raises(DataError, match=rf"target class is outside 0\.\.2: {wrong}"):
            Evidence(predictions={"train": TRAIN}, target=wrong)


def test_predictions_must_fit_together():
    with pytest.raises(DataError, match=r"as many classes .*'train': 3, 'test': 4"):
        Evidence(predictions={"train": TRAIN, "test": of([0], classes=4)})
    with pytest.raises(DataError, match=r"got \(5, 3\) and \(4,\)"):
        Predictions(TRAIN.logits, TRAIN.labels[:4])
    with pytest.raises(DataError, match="labels must be in"):
        Predictions(TRAIN.logits, TRAIN.labels + 1)


def test_what_was_not_given_is_asked_for_by_name():
    e = Evidence(predictions={"train": TRAIN})
    with pytest.raises(DataError, match="no predictions of test: there are train"):
        e.predictions_of("test")
    with pytest.raises(DataError, match="no weights of base: nothing of the kind was given"):
        e.weights_of("base")
    with pytest.raises(DataError, match="not said which samples to forget"):
        e.forgotten()
    with pytest.raises(DataError, match="not said which samples to retain"):
        e.retained()


@pytest.mark.parametrize("need", NEEDS)
def test_a_part_holds_what_is_needed_and_nothing_else(need):
    part = example_evidence().only({need})
    elsewhere = ("forget", "copies", "margins")
    assert [*part.predictions, *part.weights] == ([] if need in elsewhere else [need])
    assert bool(part.margins) == (need == "margins")
    assert (part.copies is not None) == (need == "copies")
    divided = need in ("train", "base_train", "real")
    assert (part.forget is not None, part.retain is not None) == (False, divided)
    assert (part.mask is not None) == (need == "model")


@pytest.mark.parametrize("population", ["train", "base_train"])
def test_the_forget_set_is_a_need_of_its_own(population):
    """Who measures the retained can do so when a forgotten sample is gone."""
    both = example_evidence().only({population, "forget"})
    assert both.forget is not None
    assert both.retain is not None


def test_weights_are_loaded_when_they_are_asked_for():
    asked = []
    e = Evidence(weights={"model": lambda: asked.append(1) or {}})
    assert not asked
    assert e.weights_of("model") == {}
    assert asked == [1]


@pytest.mark.parametrize(
    ("index", "match"),
    [
        (np.array([3, 90, -1]), r"outside 0\.\.89: 90, -1"),
        (np.array([0.5]), r"integer indices, got float64 \(1,\)"),
        (np.ones(90, bool), r"integer indices, got bool \(90,\)"),
        (np.array([[1]]), r"got int64 \(1, 1\)"),
    ],
)
def test_indices_that_are_none_are_refused(index, match):
    with pytest.raises(ForgetError, match=match):
        flags_of(index, 90)
