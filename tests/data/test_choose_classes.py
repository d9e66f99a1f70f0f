"""Data of some classes only: samples, numbers of classes, what is held out, and frozen data."""

import numpy as np
import pytest

from expunge.data.facts import facts_of
from expunge.data.frozen import load_frozen
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError

SPEC = DataSpec(source="digits", only_classes=("7", "3", "5"), test_limit=60)


@pytest.fixture(scope="module")
def whole():
    return load(DataSpec(source="digits"))


@pytest.fixture(scope="module")
def some():
    return load(SPEC)


def test_every_sample_of_the_classes_and_no_other_is_there(whole, some):
    names = np.array(whole.train.class_names)
    everyone = {
        name: names[label]
        for part in (whole.train, whole.test)
        for name, label in zip(part.ids, part.labels.tolist(), strict=True)
    }
    all_of_them = load(DataSpec(source="digits", only_classes=("7", "3", "5")))
    found = {
        name: all_of_them.train.class_names[label]
        for part in (all_of_them.train, all_of_them.test)
        for name, label in zip(part.ids, part.labels.tolist(), strict=True)
    }
    assert found == {name: label for name, label in everyone.items() if label in "357"}
    assert some.train.class_names == some.test.class_names == ("3", "5", "7")


def test_inputs_stay_with_their_labels(whole, some):
    rows = {name: row for row, name in enumerate(whole.train.ids)}
    both = [name for name in some.train.ids if name in rows][:20]
    for name in both:
        row = some.train.ids.index(name)
        mine = some.train.inputs.tensor[row]
        assert (mine == whole.train.inputs.tensor[rows[name]]).all()


def test_limits_and_what_is_held_out_are_of_the_chosen_classes(some):
    assert len(some.test) == 60
    counts = np.bincount(some.test.labels.numpy())
    assert len(counts) == 3
    assert max(counts) - min(counts) <= 2


def test_what_is_left_out_is_said(some):
    note = "only 3 of 10 classes are used (3, 5, 7): 544 of 1797 samples"
    assert some.notes == (note, "test limit: 60 of 109 samples are used")


def test_other_classes_are_other_data(some):
    other = load(DataSpec(source="digits", only_classes=("3", "5"), test_limit=60))
    assert facts_of(other).fingerprint != facts_of(some).fingerprint


def test_data_from_which_a_sample_is_gone_are_the_same_data(some, tmp_path):
    images = np.arange(40 * 4 * 4, dtype=np.uint8).reshape(40, 4, 4)
    labels = np.array(["cat", "dog", "emu", "fox"] * 10)
    held = np.arange(40) >= 28

    def write(kept):
        np.savez(
            tmp_path / "data.npz",
            x_train=images[kept & ~held], y_train=labels[kept & ~held],
            x_test=images[held], y_test=labels[held],
        )  # fmt: skip

    spec = DataSpec(source=str(tmp_path / "data.npz"), only_classes=("emu", "dog"))
    write(np.ones(40, dtype=bool))
    facts = facts_of(load(spec, tmp_path / "cache"))
    gone = facts.train.ids[1]
    write(np.arange(40) != 2)
    again = load_frozen(spec, facts, [gone], tmp_path / "cache")
    assert again.train.ids == tuple(name for name in facts.train.ids if name != gone)
    assert again.train.class_names == ("dog", "emu")
    with pytest.raises(DataError, match="the model has not forgotten them"):
        load_frozen(spec, facts, [], tmp_path / "cache")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("3", "13"), "digits: only_classes: unknown class '13'"),
        ((), "only_classes must be a list of names"),
        (("3", "3"), "only_classes has names twice: 3"),
    ],
)
def test_classes_that_are_not_there_are_refused(classes, message):
    with pytest.raises(ConfigError, match=message):
        load(DataSpec(source="digits", only_classes=classes))


def test_one_class_alone_is_refused():
    with pytest.raises(DataError, match="are of one class, '3'"):
        load(DataSpec(source="digits", only_classes=("3",)))
