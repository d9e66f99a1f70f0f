"""What the search space of every method must satisfy, whatever the method is called."""

import pytest

from expunge.errors import ConfigError
from expunge.methods import METHODS
from expunge.methods.method import Range
from expunge.studies.tuning.space import space_of


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request):
    return request.param


def test_every_range_is_of_a_number_and_both_its_ends_are_settings(method):
    if not method.search:
        with pytest.raises(ConfigError, match=f"{method.name} has no search space"):
            space_of(method, {}, {})
        return
    space = space_of(method, {}, {})
    assert dict(space.ranges) == dict(method.search)
    for name, span in space.ranges.items():
        for end in (span.low, span.high):
            assert getattr(space.config({name: end}), name) == end


def test_the_published_settings_are_inside(method):
    for name, span in method.search.items():
        assert span.low <= getattr(method.config(), name) <= span.high, name


@pytest.mark.parametrize(
    ("low", "high", "log", "message"),
    [
        (1, 1, False, "low must be below high, got 1 and 1"),
        (2, 1, True, "low must be below high, got 2 and 1"),
        (0, 1, True, "low must be above 0 on a logarithmic scale, got 0"),
        (float("nan"), 1, False, "low must be a finite number"),
        (0, float("inf"), False, "high must be a finite number"),
    ],
)
def test_a_range_that_is_none_is_refused(low, high, log, message):
    with pytest.raises(ConfigError, match=message):
        Range(low, high, log)
