"""Results that are kept in memory: found by their whole key, counted with their time."""

import torch

from expunge.reuse import KEPT, Kept, Reuse

CPU = torch.device("cpu")


def made(calls, value):
    def make():
        calls.append(value)
        return value

    return make


def test_what_was_made_is_found_by_the_same_owner_and_key_alone():
    kept, calls = Kept(), []
    one, same, other = Reuse(kept, "one"), Reuse(kept, "one"), Reuse(kept, "other")
    assert one.once("key", CPU, made(calls, 1)) == 1
    assert same.once("key", CPU, made(calls, 2)) == 1
    assert same.once("another", CPU, made(calls, 3)) == 3
    assert other.once("key", CPU, made(calls, 4)) == 4
    assert calls == [1, 3, 4]


def test_the_time_of_what_is_found_is_spared_and_that_of_what_is_made_is_not(monkeypatch):
    clock = iter([10.0, 13.5])
    monkeypatch.setattr("expunge.reuse.time.perf_counter", lambda: next(clock))
    kept = Kept()
    first, second = Reuse(kept, "one"), Reuse(kept, "one")
    first.once("key", CPU, lambda: 1)
    second.once("key", CPU, lambda: 2)
    second.once("key", CPU, lambda: 2)
    assert (first.spared, second.spared) == (0.0, 7.0)


def test_without_a_place_to_keep_it_everything_is_made():
    calls, reuse = [], Reuse()
    assert [reuse.once("key", CPU, made(calls, value)) for value in (1, 2)] == [1, 2]
    assert reuse.spared == 0


def test_the_one_used_longest_ago_goes_first():
    kept, calls = Kept(), []
    reuse = Reuse(kept, "one")
    for key in range(KEPT):
        reuse.once(key, CPU, made(calls, key))
    reuse.once(0, CPU, made(calls, "not made"))
    reuse.once("new", CPU, made(calls, "new"))
    reuse.once(0, CPU, made(calls, "not made"))
    reuse.once(1, CPU, made(calls, "again"))
    assert calls == [*range(KEPT), "new", "again"]
