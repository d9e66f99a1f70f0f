import pytest
from benchmarks.timing import figure, in_turn, over, rates

from benchmarks import timing


@pytest.mark.parametrize(
    ("better", "target", "met"),
    [
        ("higher", 2.0, True),
        ("higher", 2.1, False),
        ("lower", 2.0, True),
        ("lower", 1.9, False),
        ("higher", None, None),
    ],
)
def test_the_median_is_judged(better, target, met):
    found = figure("a", [9.0, 1.0, 2.0], better=better, target=target)
    assert (found.value, found.n, found.spread, found.met) == (2.0, 3, (1.0, 9.0), met)


def test_sides_take_turns_and_every_other_round_goes_backwards(monkeypatch):
    calls = []
    now = iter(range(100))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(now) ** 2)
    sides = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    found = in_turn(sides, rounds=3, warmup=1)
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]
    # The clock is read twice around each call: it shows (2k)² and (2k + 1)², 4k + 1 apart.
    assert found == {"a": [1, 13, 17], "b": [5, 9, 21]}


def test_ratios_and_rates_go_round_by_round():
    assert over([6.0, 8.0], [2.0, 1.0]) == [3.0, 8.0]
    assert rates(10, [2.0, 5.0]) == [5.0, 2.0]
