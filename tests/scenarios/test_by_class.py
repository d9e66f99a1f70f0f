import pytest
import torch

from expunge.data.arrays import as_samples
from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import by_class, make_split

NAMES = ("ant", "cat", "1", "7")


@pytest.fixture
def named(noise_samples):
    return noise_samples([3, 0, 1, 0, 2, 1], NAMES)


@pytest.mark.parametrize(
    ("classes", "rows", "indices"),
    [
        ((0,), [1, 3], (0,)),
        (("cat",), [2, 5], (1,)),
        (("3", "cat"), [0, 2, 5], (1, 3)),
        ((3, "cat", 1), [0, 2, 5], (1, 3)),
    ],
)
def test_all_samples_of_the_classes_go(named, classes, rows, indices):
    split = make_split(named, by_class(*classes))
    assert split.forget.tolist() == rows
    assert split.classes == indices
    assert split.scenario == "class:" + ",".join(map(str, classes))


def test_a_text_is_a_name_first_and_a_number_always_an_index(named):
    assert by_class("1").select(named)[1] == (2,)
    assert by_class(1).select(named)[1] == (1,)
    assert by_class("7").select(named)[1] == (3,)


@pytest.mark.parametrize("given", [4, -1, "-1", "dog", "1.0", "²"])
def test_an_unknown_class_is_told_which_there_are(named, given):
    with pytest.raises(
        ForgetError, match=r"unknown class .*: expected an index in 0..3 or one of ant, cat, 1, 7"
    ):
        by_class(given).select(named)


def test_at_most_ten_classes_are_listed(noise_samples):
    many = noise_samples([0], tuple(map(str, range(1000))))
    with pytest.raises(ForgetError, match="8, 9 and 990 more"):
        by_class("dog").select(many)


@pytest.mark.parametrize("given", [True, 1.0, None, ""])
def test_other_kinds_of_classes_are_refused(given):
    with pytest.raises(ConfigError, match="a class must be an index or a name, got"):
        by_class(given)


def test_no_class_is_refused():
    with pytest.raises(ConfigError, match="needs at least one class"):
        by_class()


def test_a_class_without_samples_leaves_nothing_to_forget():
    samples = as_samples(
        (torch.zeros(2, 1, 2, 2, dtype=torch.uint8), [0, 1]), class_names=["a", "b", "c"]
    )
    with pytest.raises(ForgetError, match="the forget set of 'class:c' is empty"):
        make_split(samples, by_class("c"))
    with pytest.raises(ForgetError, match="forgets all 2 training samples"):
        make_split(samples, by_class("a", "b"))
