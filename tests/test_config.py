from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.config import from_flags, from_mapping, to_mapping
from expunge.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Sample:
    count: int = 3
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    name: str | None = None
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None
    channels: Literal[1, 3] | None = None


samples = st.builds(
    Sample,
    count=st.integers(-1000, 1000),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    kind=st.sampled_from(["a", "b"]),
    flag=st.booleans(),
    name=st.none() | st.text("abc-_/. ", min_size=1).filter(lambda s: s != "none"),
    sizes=st.lists(st.integers(0, 99), min_size=1).map(tuple),
    limit=st.none() | st.integers(0, 9),
)


@given(samples)
def test_a_configuration_survives_plain_values(config):
    assert from_mapping(Sample, to_mapping(config), "x") == config


@given(samples)
def test_a_configuration_survives_flags(config):
    words = []
    for name, value in to_mapping(config).items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(f"--{name}={text.lower() if isinstance(value, bool) else text}")
    assert from_flags(Sample, words, "x") == config


def test_flags_are_words_too():
    config = from_flags(Sample, ["--count", "-4", "--flag", "--kind", "b", "--limit", "none"], "x")
    assert config == Sample(count=-4, flag=True, kind="b")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cout": 1}, r"here: unknown setting 'cout'.*did you mean 'count'"),
        ({"count": 1.5}, "count must be of type int, got 1.5"),
        ({"count": True}, "count must be of type int, got True"),
        ({"count": "1"}, "count must be of type int, got '1'"),
        ({"flag": 1}, "flag must be of type bool, got 1"),
        ({"kind": "c"}, "kind must be one of a, b, got 'c'"),
        ({"channels": True}, "channels must be one of 1, 3, got True"),
        ({"channels": 3.0}, "channels must be one of 1, 3, got 3.0"),
        ({"sizes": 3}, "sizes must be a list, got 3"),
        ({"sizes": ["x"]}, "sizes must be of type int, got 'x'"),
        ({"limit": "x"}, "limit must be of type int, got 'x'"),
    ],
)
def test_values_of_another_type_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        from_mapping(Sample, values, "here")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count"], "expected --setting value, got 'count'"),
        (["--count"], "--count needs a value"),
        (["--count", "x"], "count must be a whole number, got 'x'"),
        (["--rate", "x"], "rate must be a number, got 'x'"),
        (["--flag=maybe"], "flag must be true or false, got 'maybe'"),
        (["--nothing", "1"], "unknown setting 'nothing'"),
    ],
)
def test_words_that_make_no_sense_are_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        from_flags(Sample, words, "here")


def test_a_missing_field_is_named():
    from expunge.models.spec import NetworkSettings

    with pytest.raises(ConfigError, match="network: name is missing: expected a value of type str"):
        from_mapping(NetworkSettings, {}, "network")
