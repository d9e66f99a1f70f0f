import numpy as np
import pytest
import torch

from expunge.errors import ForgetError
from expunge.scenarios import by_ids, make_split


@pytest.fixture
def samples(noise_samples):
    return noise_samples([0, 1, 0, 1], ids=["a", "b", "c", "d"])


def test_a_header_that_does_not_say_id_is_asked_about(samples, tmp_path):
    listed = tmp_path / "gone.csv"
    listed.write_text(f"name\n{samples.ids[0]}\n")
    with pytest.raises(ForgetError, match="if 'name' is the name of a column, call the column of"):
        by_ids(listed).select(samples)
    listed.write_text(f"{samples.ids[0]}\nname\n")
    with pytest.raises(ForgetError, match=r"\(name\): expected ids of .*, each once$"):
        by_ids(listed).select(samples)


def test_the_samples_with_the_ids_go(samples):
    split = make_split(samples, by_ids(["d", "a"]))
    assert split.forget.tolist() == [0, 3]
    assert split.retain.tolist() == [1, 2]
    assert split.classes == ()
    assert split.scenario == "ids:2 given"
    assert make_split(samples, by_ids(name for name in "b")).forget.tolist() == [1]


def test_whole_numbers_are_ids_as_text(noise_samples):
    numbered = noise_samples([0, 1, 0], ids=["101", "102", "103"])
    for given in ([103, 101], np.array([103, 101]), torch.tensor([103, 101])):
        assert make_split(numbered, by_ids(given)).forget_ids == ("101", "103")


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_ids_come_from_a_file_as_it_is_when_it_is_named(samples, tmp_path, kind):
    path = tmp_path / "ids.csv"
    path.write_text("id\nc\n")
    scenario = by_ids(kind(path))
    path.unlink()
    split = make_split(samples, scenario)
    assert split.forget.tolist() == [2]
    assert split.scenario == f"ids:{path}"


def test_unknown_ids_and_duplicates_are_counted_and_named(samples):
    with pytest.raises(
        ForgetError,
        match=r"of the 5 ids in '5 given', 2 are not in the training data \(x, y\) "
        r"and 1 are given more than once \(a\)",
    ):
        make_split(samples, by_ids(["a", "x", "b", "y", "a"]))
    with pytest.raises(ForgetError, match=r"\(0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 5 more\)"):
        make_split(samples, by_ids(map(str, range(15))))
    with pytest.raises(ForgetError, match=r"1 are given more than once \(a\): expected"):
        make_split(samples, by_ids(["a", "a"]))


def test_no_ids_and_other_kinds_are_refused():
    with pytest.raises(ForgetError, match="the list of ids to forget is empty"):
        by_ids([])
    with pytest.raises(ForgetError, match=r"ids must be texts, got None, 3\.0, True"):
        by_ids(["a", None, 3.0, True])
