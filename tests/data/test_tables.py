import numpy as np
import pytest

from expunge.data.inputs.images import StreamedImages
from expunge.data.tables import Table, check_labels, shared_classes, to_samples
from expunge.errors import DataError


@pytest.fixture
def table(noise):
    def make(labels, class_names=None, where="here"):
        images = StreamedImages(noise(len(labels), (1, 2, 2)))
        return Table(images, check_labels(labels, where), where, class_names)

    return make


@pytest.mark.parametrize("values", [[2, 0], np.array([2, 0], np.uint8)])
def test_whole_numbers_become_int64(values):
    labels = check_labels(values, "here")
    assert labels.dtype == np.int64
    assert labels.tolist() == [2, 0]


@pytest.mark.parametrize("values", [["b", "a"], np.array(["b", "a"], object)])
def test_texts_stay_texts(values):
    assert check_labels(values, "here").tolist() == ["b", "a"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, -1, -1], "here: 2 labels are negative, the first in row 1"),
        ([0.0, 1.0], r"one integer or text per sample, got float64 of shape \(2,\)"),
        ([[0], [1]], r"got int64 of shape \(2, 1\)"),
        ([True, False], "got bool"),
        (["a", None, None], "here: rows without a label: 1, 2"),
        (np.array(["a", 3], object), "all integers or all texts"),
    ],
)
def test_other_labels_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        check_labels(values, "here")


def test_named_classes_keep_their_numbers(table):
    train, test = table([2, 0], ("x", "y", "z")), table([2], ("x", "y", "z"))
    classes, names = shared_classes([train, test])
    assert names == ("x", "y", "z")
    assert to_samples(train, classes, names, "set").labels.tolist() == [2, 0]


def test_numbers_with_gaps_are_outputs_of_the_network_and_stay(table):
    train, test = table([3, 0, 0]), table([5, 3])
    classes, names = shared_classes([train, test])
    assert names == ("0", "1", "2", "3", "4", "5")
    assert to_samples(train, classes, names, "set").labels.tolist() == [3, 0, 0]
    assert to_samples(test, classes, names, "set").labels.tolist() == [5, 3]


def test_numbers_that_cannot_be_outputs_are_refused(table):
    with pytest.raises(DataError, match="B: label 4000000000 is too large for the number of an"):
        shared_classes([table([3], None, "A"), table([4_000_000_000], None, "B")])


def test_texts_are_numbered_in_sorted_order(table):
    train = table(["dog", "cat", "dog"])
    classes, names = shared_classes([train])
    samples = to_samples(train, classes, names, "set")
    assert names == samples.class_names == ("cat", "dog")
    assert samples.labels.tolist() == [1, 0, 1]
    assert samples.name == "set"
    assert len(samples.ids) == len(samples) == 3


def test_classes_need_no_order(table):
    classes = np.array(["dog", "ant", "cat"])
    samples = to_samples(table(["cat", "dog"]), classes, tuple(classes), "set")
    assert samples.labels.tolist() == [2, 0]


@pytest.mark.parametrize("label", [3, 9])
def test_a_label_outside_the_classes_is_refused(table, label):
    with pytest.raises(DataError, match=rf"here, row 1: label {label} is not one of the 3 classes"):
        to_samples(table([0, label]), np.arange(3), ("x", "y", "z"), "set")


def test_a_kind_that_is_not_that_of_the_classes_is_refused(table):
    with pytest.raises(DataError, match="labels are int64, but the classes are x, y"):
        to_samples(table([0]), np.array(["x", "y"]), ("x", "y"), "set")


def test_tables_must_agree_about_the_classes(table):
    with pytest.raises(DataError, match="B and A name their classes differently: no names and x"):
        shared_classes([table([0], ("x",), "A"), table([0], None, "B")])
    with pytest.raises(DataError, match="numbers in one of B and A"):
        shared_classes([table([0], None, "A"), table(["a"], None, "B")])


def test_a_table_is_neither_empty_nor_uneven(noise):
    with pytest.raises(DataError, match="here is empty"):
        Table(StreamedImages(noise(0, (1, 2, 2))), np.zeros(0, np.int64), "here")
    with pytest.raises(DataError, match="here has 2 images but 3 labels"):
        Table(StreamedImages(noise(2, (1, 2, 2))), np.zeros(3, np.int64), "here")
    with pytest.raises(DataError, match="here has 2 images but 1 ids"):
        Table(StreamedImages(noise(2, (1, 2, 2))), np.zeros(2, np.int64), "here", ids=("a",))
