import json
import subprocess
import sys
from dataclasses import asdict

import pytest
from benchmarks.growth import SERIES, exponent, held, of_series, steepest
from benchmarks.growth_case import Size

from benchmarks import growth, growth_case, growth_figure, memory
from expunge.methods import METHODS
from expunge.report.wording import method_label

POWERS = {"samples": 1.2, "forget": 0.5, "parameters": 2.0}
MIB = 2**20


def case(method, size, rounds=3):
    """As of a method whose time is a power law in each, and whose memory is one of the samples."""
    parameters = round(1e4 * size.width**2)
    grown = {"samples": size.samples, "forget": size.forget, "parameters": parameters}
    seconds = 1e-4
    for key, power in POWERS.items():
        seconds *= grown[key] ** power
    return {
        "method": method,
        **asdict(size),
        "parameters": parameters,
        # One round in the way of other work, another in luck; not the same of them at each size.
        "seconds": [seconds, seconds / size.width / 9, seconds * size.samples],
        "before_bytes": 300 * MIB,
        "peak_bytes": 300 * MIB + 1000 * MIB * size.samples // 1000,
    }


def test_the_exponent_of_an_exact_power_law():
    sizes = [3, 7, 50, 1000]
    assert exponent(sizes, [0.3 * size**1.7 for size in sizes]) == pytest.approx(1.7)
    assert exponent(sizes, [5.0] * 4) == pytest.approx(0, abs=1e-12)


def test_every_method_gets_its_exponents_and_the_steepest_is_judged(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "_case", case)
    out = tmp_path / "growth.json"
    figures = growth.figures(3, out=out)
    document = json.loads(out.read_text())
    assert document["schema"] == 1
    assert document["env"]["threads"] >= 1
    assert [row["method"] for row in document["exponents"]] == [m.name for m in METHODS]
    for row in document["exponents"]:
        assert row["time"] == pytest.approx(POWERS)
        assert row["memory"]["samples"] == pytest.approx(1)
        assert row["memory"]["parameters"] == pytest.approx(0, abs=1e-9)
        assert row["held_bytes"] == 12000 * MIB
        assert row["peak_bytes"] == 12300 * MIB
    # Sizes that series share are run once.
    assert len(document["cases"]) == len(METHODS) * len({s for one in SERIES for s in one.sizes})
    found = {item.name.split(":")[0]: item for item in figures}
    assert found["growth of time with the samples"].met is False
    assert found["growth of time with the samples to forget"].met is True
    assert found["growth of memory with the samples"].value == pytest.approx(1)


def test_what_was_measured_before_a_failure_is_there(tmp_path, monkeypatch):
    def failing(method, size, rounds):
        if method != METHODS[0].name:
            raise RuntimeError
        return case(method, size)

    monkeypatch.setattr(growth, "_case", failing)
    with pytest.raises(RuntimeError):
        growth.figures(1, out=tmp_path / "growth.json")
    document = json.loads((tmp_path / "growth.json").read_text())
    assert [row["method"] for row in document["exponents"]] == [METHODS[0].name]


def test_the_steepest_of_the_methods():
    rows = [
        {"method": name, "time": {"samples": value}} for name, value in (("a", 1.0), ("b", 1.2))
    ]
    found = steepest(rows, "time", "samples")
    assert found.name.endswith("steepest of 2 methods, b")
    assert (found.value, found.spread, found.n, found.met) == (1.2, (1.0, 1.2), 2, False)


def test_memory_below_what_can_be_told_counts_as_the_least():
    assert held({"peak_bytes": 10, "before_bytes": 20}) == growth.LEAST_BYTES
    assert held({"peak_bytes": 5 * MIB, "before_bytes": MIB}) == 4 * MIB


def test_a_series_holds_its_own_sizes_in_order():
    cases = [case("a", size) for one in SERIES for size in reversed(one.sizes)]
    cases.append(case("b", SERIES[0].sizes[0]))
    assert [found["samples"] for found in of_series(cases, "a", SERIES[0])] == [
        size.samples for size in SERIES[0].sizes
    ]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_can_be_measured(method):
    size = Size(samples=96, forget=16, width=0.25)
    found = growth_case.measured(method.name, size, rounds=2)
    assert len(found["seconds"]) == 2
    assert min(found["seconds"]) > 0
    assert found["before_bytes"] > 0
    assert len(growth_case.split(size.work, 96, 16).forget) == 16
    assert getattr(growth_case.one_epoch(method), "epochs", 1) == 1


@pytest.mark.parametrize(("noted", "expected"), [(700, 700), (400, 500)])
def test_the_peak_is_the_highest_that_was_seen(monkeypatch, noted, expected):
    """The system notes its mark a little late, so that it may lie below what was held before."""
    monkeypatch.setattr(growth_case, "now", lambda: 500)
    monkeypatch.setattr(growth_case, "peak", lambda: noted)
    found = growth_case.measured("ga", Size(samples=96, forget=16, width=0.25), rounds=1)
    assert (found["before_bytes"], found["peak_bytes"]) == (500, expected)


def test_no_round_begins_after_the_budget(monkeypatch):
    monkeypatch.setattr(growth_case, "BUDGET", 0.0)
    size = Size(samples=96, forget=16, width=0.25)
    assert len(growth_case.measured(METHODS[0].name, size, rounds=3)["seconds"]) == 1


@pytest.mark.skipif(not memory.STATUS.exists(), reason="elsewhere there is only ru_maxrss")
def test_the_peak_of_a_process_is_its_own():
    """It has what it held and has given back, and nothing of what its parent holds."""
    code = (
        "from benchmarks.memory import now, peak; before = now(); block = b'1' * 2**26; "
        "there = now(); del block; print(before, there, now(), peak())"
    )
    kept = b"1" * 200 * MIB
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=growth.ROOT, capture_output=True, text=True, check=True
    )
    assert len(kept) <= memory.peak()
    before, there, after, peak = map(int, done.stdout.split())
    assert there - before == pytest.approx(64 * MIB, abs=MIB)
    assert after == pytest.approx(before, abs=MIB)
    assert peak == pytest.approx(there, abs=MIB)


def test_the_figure_shows_every_method_and_everything_that_grows():
    cases = [case(m.name, size) for m in METHODS for one in SERIES for size in one.sizes]
    found = growth_figure.drawing(cases)
    assert found.name == "growth"
    labels = [method_label(method.name) for method in METHODS]
    for text in (*labels, "samples to forget", "parameters", "seconds", "12,000"):
        assert f">{text}<" in found.svg
