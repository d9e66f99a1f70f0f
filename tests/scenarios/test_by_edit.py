from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import by_edit, check_scenario, parse
from expunge.scenarios.by_suspicion import BySuspicion, by_suspicion


@dataclass
class Edited:
    ids: tuple[str, ...] = tuple(f"s{n}" for n in range(100))
    labels: tuple[int, ...] = (0, 1) * 50
    class_names: tuple[str, ...] = ("a", "b")
    touched: dict = field(default_factory=dict)


TOUCHED = tuple(f"s{n}" for n in range(0, 80, 2))
SAMPLES = Edited(touched={"badnets": TOUCHED, "my.edits:dark": ("s1", "s3", "s5", "s7")})


def names(scenario, samples=SAMPLES):
    rows, classes = scenario.select(samples)
    assert classes == ()
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()
    assert len(rows) == scenario.count(samples)
    return {samples.ids[row] for row in rows}


def test_a_smaller_share_is_a_part_of_a_larger_one():
    shares = [0.05, 0.1, 0.5, 0.9, 1.0]
    drawn = [names(by_edit("badnets", share, seed=3)) for share in shares]
    assert [len(each) for each in drawn] == [2, 4, 20, 36, 40]
    for smaller, larger in pairwise(drawn):
        assert smaller < larger
    assert drawn[-1] == set(TOUCHED)


def test_the_seed_draws_and_the_global_random_state_does_not():
    np.random.seed(0)
    one = names(by_edit("badnets", 0.5, seed=1))
    np.random.seed(1)
    assert names(by_edit("badnets", 0.5, seed=1)) == one
    assert names(by_edit("badnets", 0.5, seed=2)) != one


def test_texts_are_the_scenarios_they_name():
    assert parse("edited:badnets:0.5", seed=4) == by_edit("badnets", 0.5, 4)
    assert parse("edited:badnets:0.5").name == "edited:badnets:0.5"
    assert parse("edited:badnets", seed=4) == by_edit("badnets")
    assert parse("edited:badnets:1", seed=4).name == "edited:badnets"
    assert names(parse("edited:my.edits:dark")) == {"s1", "s3", "s5", "s7"}
    assert len(names(parse("edited:my.edits:dark:0.5"))) == 2
    assert parse("suspected:strip") == by_suspicion("strip")


@pytest.mark.parametrize("share", ["0", "-0.1", "1.5", "nan", "inf"])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match="the share of an edit must be"):
        parse(f"edited:badnets:{share}")


def test_a_share_of_nothing_is_an_empty_set():
    with pytest.raises(ForgetError, match=r"the forget set of 'edited:my.edits:dark:0.1' is empty"):
        check_scenario(parse("edited:my.edits:dark:0.1"), SAMPLES)
    with pytest.raises(ForgetError, match=r"unknown edit of the data 'badnet'.*did you mean"):
        check_scenario(parse("edited:badnet:0.1"), SAMPLES)


def test_suspects_are_those_that_are_left():
    found = BySuspicion("strip", ids=("s3", "s1", "gone"))
    assert names(found) == {"s1", "s3"}
    assert found.name == "suspected:strip"


def test_suspects_that_are_not_there_are_one_clear_error():
    with pytest.raises(
        ForgetError, match="strip suspects none of 100 training samples; allow more"
    ):
        check_scenario(BySuspicion("strip", ids=()), SAMPLES)
    with pytest.raises(ForgetError, match="'suspected:strip' needs a model to look for suspects"):
        check_scenario(by_suspicion("strip"), SAMPLES)
