"""Metrics by name: those of the project, and those that other packages add; what is refused."""

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from expunge import plugins
from expunge.errors import ConfigError, DataError
from expunge.metrics import METRICS, all_metrics, get_metric
from expunge.metrics.example import example_evidence
from expunge.metrics.gap import gap
from expunge.metrics.metric import Measured, measure

HALF = replace(METRICS[0], name="half", run=lambda evidence: Measured(50.0))
TAKEN = replace(HALF, name=METRICS[0].name)
NO_METRIC = "half"


@pytest.fixture
def entry_point(monkeypatch):
    def add(attribute):
        entry = EntryPoint("x", f"tests.metrics.test_registry:{attribute}", "expunge.metrics")
        asked = []

        def entries(group):
            asked.append(group)
            return [entry]

        monkeypatch.setattr(plugins, "entries", entries)
        return asked

    return add


def test_another_package_adds_a_metric_and_no_gap_changes_for_it(entry_point):
    asked = entry_point("HALF")
    assert measure(get_metric("half"), example_evidence()).value == 50
    assert set(asked) == {"expunge.metrics"}
    assert list(all_metrics())[-1] == "half"
    values = {"ua": 1.0, "mia_efficacy": 2.0, "ra": 3.0, "ta": 4.0, "half": 50.0}
    assert "half" not in gap(values, values)
    assert gap(values, values | {"half": 40.0}, ("ua", "half")) == {"ua": 0, "half": 10, "avg": 5}


@pytest.mark.parametrize(
    ("attribute", "message"),
    [("NO_METRIC", "must name an expunge.Metric, got"), ("TAKEN", "'ua' exists already")],
)
def test_what_cannot_be_added_is_refused(entry_point, attribute, message):
    entry_point(attribute)
    with pytest.raises(ConfigError, match=message):
        all_metrics()


def giving(value, **changes):
    return replace(HALF, run=lambda evidence: value, **changes)


@pytest.mark.parametrize(
    ("metric", "match"),
    [
        (giving(50.0), "must give a Measured, got float"),
        (giving(Measured(101.0)), r"gave 101.0: expected percent in 0\.\.100"),
        (giving(Measured(-0.5), unit="norm"), r"norm in 0\.\.inf"),
        (giving(Measured(1.5), unit="fraction"), r"fraction in 0\.\.1"),
        (giving(Measured(float("nan")), unit="nats"), "finite numbers, got nan"),
        (giving(Measured(True)), "finite numbers, got True"),
        (giving(Measured({"a": [1.0, 200.0]}), compared=False, detailed=True), "gave 200.0"),
        (giving(Measured({"a": 1.0})), "must give one number"),
        (giving(Measured(1.0), compared=False, detailed=True), "must give an object"),
    ],
)
def test_values_that_are_not_of_the_metrics_kind_are_refused(metric, match):
    with pytest.raises(ConfigError, match=match):
        measure(metric, example_evidence())


def test_a_unit_of_ones_own_is_taken():
    assert measure(giving(Measured(-700.0), unit="nats"), example_evidence()).value == -700


def test_reading_without_saying_so_is_refused():
    metric = replace(HALF, run=lambda evidence: Measured(len(evidence.predictions_of("test"))))
    with pytest.raises(DataError, match="no predictions of test: there are train"):
        measure(metric, example_evidence())


def test_records_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match=r"half: unknown need 'tests'.*did you mean 'test'"):
        replace(HALF, needs=frozenset({"tests"}))
    with pytest.raises(ConfigError, match="half: the unit is empty"):
        replace(HALF, unit="")
    with pytest.raises(ConfigError, match="half: the gap is over single numbers"):
        replace(HALF, detailed=True)
    for wrong in ((None, None), (1.0, "why")):
        with pytest.raises(ConfigError, match="a value, or None with a reason"):
            Measured(*wrong)
