"""Which settings are searched, and what is proposed of them."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ConfigError
from expunge.methods import get_method
from expunge.methods.method import Range
from expunge.studies.tuning.space import parse_range, space_of

FT, GA, L1, RETRAIN = (get_method(name) for name in ("ft", "ga", "l1_sparse", "retrain"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr=1e-5:0.1:log", ("lr", Range(1e-5, 0.1, log=True))),
        ("epochs=1:20", ("epochs", Range(1, 20))),
        ("weight-decay=-1:1", ("weight_decay", Range(-1, 1))),
    ],
)
def test_a_range_is_read(text, expected):
    assert parse_range(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr", "a range is NAME=LOW:HIGH or NAME=LOW:HIGH:log, got 'lr'"),
        ("lr=1", "a range is"),
        ("=1:2", "a range is"),
        ("lr=1:2:exp", "a range is"),
        ("lr=1:2:log:log", "a range is"),
        ("lr=a:2", "range 'lr=a:2': could not convert"),
        ("lr=2:1", "range 'lr=2:1': low must be below high"),
        ("lr=0:1:log", "low must be above 0"),
        ("lr=nan:1", "low must be a finite number"),
    ],
)
def test_what_is_no_range_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_range(text)


def test_what_is_given_goes_before_what_the_method_declares():
    space = space_of(FT, {"lr": Range(0.1, 0.2), "momentum": Range(0, 0.9)}, {"epochs": 3})
    assert dict(space.ranges) == {"lr": Range(0.1, 0.2), "momentum": Range(0, 0.9)}
    config = space.config({"lr": 0.15, "momentum": 0.5})
    assert (config.epochs, config.lr, config.momentum) == (3, 0.15, 0.5)


@pytest.mark.parametrize(
    ("method", "ranges", "fixed", "message"),
    [
        (RETRAIN, {}, {}, "retrain has no search space: say what to search, as in --range"),
        (GA, {}, {"lr": 0.1}, "ga has no search space left"),
        (GA, {"lr": Range(1, 2)}, {"lr": 0.1}, "lr is both fixed and searched"),
        (GA, {"lrr": Range(1, 2)}, {}, r"ga: unknown setting 'lrr'.*did you mean 'lr'"),
        (GA, {"lr": Range(-1, 2)}, {}, "ga: lr must be a finite number"),
        (FT, {"epochs": Range(1, 2.5)}, {}, "epochs is a whole number, got the range 1:2.5"),
        (FT, {"lr_schedule": Range(1, 2)}, {}, "lr_schedule is not a number and has no range"),
    ],
)
def test_what_cannot_be_searched_is_refused(method, ranges, fixed, message):
    with pytest.raises(ConfigError, match=message):
        space_of(method, ranges, fixed)


@given(st.integers(0, 2**31), st.sampled_from([True, False]))
def test_proposals_are_inside_of_the_right_kind_and_short(seed, log):
    ranges = {"lr": Range(0.012345, 0.54321, log), "epochs": Range(2, 5, log)}
    space = space_of(L1, ranges, {"gamma": 1e-4})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    values = space.suggest(study.ask())
    assert 0.012345 <= values["lr"] <= 0.54321
    assert type(values["epochs"]) is int
    assert values["epochs"] in range(2, 6)
    # Three digits, or an end of the range.
    assert values["lr"] in (0.012345, 0.54321) or float(f"{values['lr']:.3g}") == values["lr"]
    assert space.config(values).lr == values["lr"]


def test_the_published_settings_come_first_where_they_are_inside():
    assert space_of(FT, {}, {}).defaults() == {"lr": 0.01, "epochs": 10}
    assert space_of(FT, {"lr": Range(0.1, 1)}, {}).defaults() == {}
    assert space_of(RETRAIN, {"epochs": Range(1, 3)}, {}).defaults() == {}


def test_a_grid_is_at_equal_distances_with_both_ends():
    space = space_of(get_method("ga"), {"lr": Range(1e-4, 0.1, log=True)}, {})
    assert [each["lr"] for each in space.grid(4)] == pytest.approx([1e-4, 1e-3, 1e-2, 0.1])
    space = space_of(get_method("iu"), {"alpha": Range(1.0, 3.0)}, {})
    assert [each["alpha"] for each in space.grid(5)] == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0])
    space = space_of(get_method("ga"), {"epochs": Range(1, 3)}, {"lr": 0.1})
    assert space.grid(3) == [{"epochs": 1}, {"epochs": 2}, {"epochs": 3}]


def test_a_grid_of_more_trials_than_whole_numbers_is_refused():
    """Whatever comes after a grid's values would be proposed, and not on the grid."""
    space = space_of(get_method("ga"), {"epochs": Range(1, 3)}, {"lr": 0.1})
    with pytest.raises(ConfigError, match="9 trials has only 3 whole numbers of epochs from 1 to"):
        space.grid(9)


def test_a_grid_over_several_settings_is_refused():
    space = space_of(get_method("ft"), {}, {})
    with pytest.raises(ConfigError, match="a grid is over one setting, and ft searches"):
        space.grid(4)
