"""Methods by name: those of the project, and those that other packages add."""

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint

import pytest

from expunge import plugins
from expunge.errors import ConfigError
from expunge.methods import METHODS, all_methods, get_method


@dataclass(frozen=True, kw_only=True)
class NothingConfig:
    """No settings."""


NOTHING = replace(METHODS[0], name="nothing", config=NothingConfig)
TAKEN = replace(NOTHING, name=METHODS[0].name)
NO_METHOD = "nothing"


@pytest.fixture
def entry_point(monkeypatch):
    def add(attribute):
        entry = EntryPoint("x", f"tests.methods.test_registry:{attribute}", "expunge.methods")
        asked = []

        def entries(group):
            asked.append(group)
            return [entry]

        monkeypatch.setattr(plugins, "entries", entries)
        return asked

    return add


def test_another_package_adds_a_method(entry_point):
    asked = entry_point("NOTHING")
    assert get_method("nothing").config.__name__ == "NothingConfig"
    assert set(asked) == {"expunge.methods"}
    assert list(all_methods())[-1] == "nothing"


@pytest.mark.parametrize(
    ("attribute", "message"),
    [("NO_METHOD", "must name an expunge.Method, got"), ("TAKEN", "'retrain' exists already")],
)
def test_what_cannot_be_added_is_refused(entry_point, attribute, message):
    entry_point(attribute)
    with pytest.raises(ConfigError, match=message):
        all_methods()


def test_an_unknown_method_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"unknown method 'fft'.*did you mean 'ft'"):
        get_method("fft")
