"""Which classes there are, and in which order: one rule for commands and Python."""

import numpy as np
import pytest

import expunge
from expunge.data.arrays import as_samples
from expunge.data.classes import read_names, sorted_names
from expunge.data.facts import facts_of
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.summary import summary
from expunge.errors import ConfigError, DataError


@pytest.fixture
def write_npz(tmp_path, noise):
    def write(labels):
        path = tmp_path / "set.npz"
        np.savez(path, x_train=noise(len(labels), (4, 4)), y_train=np.array(labels))
        return str(path)

    return write


def classes_of(samples):
    """The name of every sample's class."""
    return [samples.class_names[label] for label in samples.labels.tolist()]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (map(str, range(12)), tuple(map(str, range(12)))),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["1", "01", "2"], ("01", "1", "2")),
        (["10", "9", "b"], ("10", "9", "b")),
        (["NA", "null", "nan", ""], ("", "NA", "nan", "null")),
        (["1e5", "2"], ("1e5", "2")),
    ],
)
def test_names_are_sorted_as_numbers_where_all_are(names, expected):
    assert sorted_names(names) == expected


@pytest.mark.parametrize("labels", [[0, 1, 3] * 4, [2, 1] * 6])
def test_both_doors_keep_integers(write_npz, noise, labels):
    source = write_npz(labels)
    train = load(DataSpec(source=source)).train
    direct = as_samples((noise(len(labels), (4, 4)), labels))
    assert train.class_names == direct.class_names == tuple(map(str, range(max(labels) + 1)))
    by_id = dict(zip(direct.ids, direct.labels.tolist(), strict=True))
    assert [by_id[name] for name in train.ids] == train.labels.tolist()


@pytest.mark.parametrize("labels", [["9", "10", "11"] * 4, ["b", "a", "NA"] * 4])
def test_both_doors_sort_texts_alike(write_npz, noise, labels):
    train = load(DataSpec(source=write_npz(labels))).train
    direct = as_samples((noise(len(labels), (4, 4)), labels))
    assert train.class_names == direct.class_names == sorted_names(labels)


def test_a_class_without_a_sample_is_named_in_both_doors(write_npz, noise):
    labels = [0, 1, 3] * 4
    said = "no training sample in 1 of 4 classes: 2"
    assert said in load(DataSpec(source=write_npz(labels))).notes
    assert said in as_samples((noise(12, (4, 4)), labels)).notes
    assert f"note: {said}" in summary(facts_of(load(DataSpec(source=write_npz(labels)))))


def test_a_test_set_is_not_said_to_lack_training_samples(noise):
    names = ("0", "1", "2")
    assert as_samples((noise(2, (4, 4)), [0, 2]), class_names=names).notes == ()


def test_names_that_are_other_numbers_than_their_outputs_are_noted(write_npz):
    source = write_npz(["0", "1", "3"] * 4)
    (note,) = load(DataSpec(source=source)).notes
    assert "class 3 is output 2 of the network" in note
    assert "set num_classes to 4" in note
    dataset = load(DataSpec(source=source, num_classes=4))
    assert dataset.train.class_names == ("0", "1", "2", "3")
    assert set(dataset.train.labels.tolist()) == {0, 1, 3}
    assert dataset.notes == ("no training sample in 1 of 4 classes: 2",)


def test_given_names_set_the_order_and_may_not_occur(write_npz):
    source = write_npz(["dog", "cat", "dog"] * 4)
    plain = load(DataSpec(source=source)).train
    train = load(DataSpec(source=source, class_names=("dog", "emu", "cat"))).train
    assert train.class_names == ("dog", "emu", "cat")
    assert set(train.labels.tolist()) == {0, 2}
    by_id = dict(zip(plain.ids, classes_of(plain), strict=True))
    assert all(by_id.get(n, c) == c for n, c in zip(train.ids, classes_of(train), strict=True))
    assert train.fingerprint != plain.fingerprint
    again = load(DataSpec(source=source, class_names=("cat", "dog"))).train
    assert again.fingerprint == plain.fingerprint


def test_given_names_name_the_outputs_of_integer_labels(write_npz):
    source = write_npz([0, 2] * 6)
    train = expunge.load(source, class_names=["a", "b", "c"]).train
    assert train.class_names == ("a", "b", "c")
    assert set(train.labels.tolist()) == {0, 2}
    assert load(DataSpec(source=source, num_classes=5)).train.num_classes == 5


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        (["a", "b"], {"class_names": ("a", "c")}, "have the classes b, which are not among the 2"),
        ([0, 2], {"class_names": ("a", "b")}, "have the classes 2, which are not among the 2"),
        ([0, 2], {"num_classes": 2}, "the classes 2, which are not among the 2 given: 0, 1"),
        (["0", "5"], {"num_classes": 5}, "have the classes 5, which"),
        (["-1", "1"], {"num_classes": 5}, "have the classes -1, which"),
        (["1", "01", "2"], {"num_classes": 3}, "the classes 01, 1 are the same number"),
        (["a", "b"], {"num_classes": 3}, "num_classes is 3, but there are 2 named classes: a, b"),
    ],
)
def test_classes_that_are_not_those_of_the_data_are_refused(write_npz, labels, given, message):
    with pytest.raises(ConfigError, match=message):
        load(DataSpec(source=write_npz(labels * 4), **given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"class_names": ("a", "a")}, "has names twice: a"),
        ({"class_names": ()}, "must be a list of names"),
        ({"class_names": "ab"}, "must be a list of names"),
        ({"class_names": [0, 1]}, "must be a list of names"),
        ({"class_names": ("a", " ")}, "none of them empty"),
        ({"class_names": ("a", "b"), "num_classes": 2}, "not both"),
        ({"num_classes": 0}, "num_classes must be"),
    ],
)
def test_classes_that_cannot_be_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        DataSpec(source="digits", **given)


def test_identifiers_in_the_place_of_outputs_are_asked_about(write_npz):
    source = write_npz([4711, 7] * 6)
    with pytest.raises(DataError, match="labels go up to 4711 but only 2 occur: number the"):
        load(DataSpec(source=source))
    assert load(DataSpec(source=source, num_classes=4712)).train.num_classes == 4712


def test_a_small_test_set_may_lack_most_classes(tmp_path, noise):
    path = tmp_path / "set.npz"
    count, few = 1200, 10
    train = {"x_train": noise(count, (4, 4)), "y_train": np.arange(count)}
    np.savez(path, **train, x_test=noise(few, (4, 4)), y_test=np.arange(few))
    dataset = load(DataSpec(source=str(path)))
    assert (dataset.train.num_classes, len(dataset.test)) == (count, few)


def test_names_may_be_in_a_file(tmp_path):
    (tmp_path / "names.txt").write_text("\ufeffb\r\n\r\n a, c \n", encoding="utf-8")
    assert read_names(tmp_path / "names.txt") == ("b", "a, c")
    with pytest.raises(ConfigError, match=r"cannot read class names from .*absent"):
        read_names(tmp_path / "absent")
