"""Which node comes next, what waits, and what a failure takes with it: against brute force."""

import tempfile
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.graph.spies import line_up

from expunge.engines.schedule import Schedule
from expunge.errors import ConfigError, DivergedError
from expunge.graph.graph import Graph
from expunge.graph.plan import Plan
from expunge.runs import Store


@st.composite
def dags(draw):
    """Parents of every node, among those before it; and which nodes are in the store already."""
    size = draw(st.integers(1, 9))
    edges = [
        sorted(draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else []
        for number in range(size)
    ]
    there = set()
    for number in range(size):
        # What is in the store has its parents there.
        if there.issuperset(edges[number]) and draw(st.booleans()) and draw(st.booleans()):
            there.add(number)
    return edges, there


def scheduled(edges, there=(), **words):
    graph, names = line_up(Path(tempfile.gettempdir()) / "no-such-store", edges, kind="empty")
    missing = tuple(name for number, name in enumerate(names) if number not in there)
    plan = Plan(graph=graph, missing=missing, seconds=dict.fromkeys(missing))
    return Schedule(plan, **words), names


def descendants(edges, number):
    found = {number}
    for child, parents in enumerate(edges):
        if found & set(parents):
            found.add(child)
    return found - {number}


def longest_line(edges, number):
    after = [child for child, parents in enumerate(edges) if number in parents]
    return 1 + max((longest_line(edges, child) for child in after), default=0)


@given(dag=dags(), data=st.data())
def test_nodes_are_given_once_after_their_parents_the_longest_line_first(dag, data):
    edges, there = dag
    schedule, names = scheduled(edges, there)
    number_of = {name: number for number, name in enumerate(names)}
    made, running, given_out = set(there), [], {}
    while not schedule.done:
        if data.draw(st.booleans()) or not running:
            may = [
                number
                for number in range(len(edges))
                if number not in made | set(running) and made.issuperset(edges[number])
            ]
            assert schedule.ready == len(may)
            node = schedule.next()
            if not may:
                assert node is None
                continue
            best = min(may, key=lambda number: (-longest_line(edges, number), number))
            assert number_of[node.id] == best
            running.append(best)
            given_out[best] = node
        else:
            ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
            made.add(ended)
            schedule.finished(given_out[ended])
    assert made == set(range(len(edges)))
    assert schedule.next() is None
    schedule.close()


@given(dag=dags(), data=st.data())
def test_who_keeps_going_skips_exactly_the_descendants_of_what_failed(dag, data):
    edges, there = dag
    schedule, names = scheduled(edges, there, keep_going=True)
    number_of = {name: number for number, name in enumerate(names)}
    failed, skipped, made = [], set(), set(there)
    running = []
    for _ in count():
        if schedule.done:
            break
        node = schedule.next()
        if node is not None:
            assert number_of[node.id] not in skipped
            running.append(node)
            if data.draw(st.booleans()):
                continue
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        number = number_of[ended.id]
        if data.draw(st.integers(0, 2)) == 0:
            schedule.fail(ended, ConfigError(f"reason {number}"))
            failed.append(number)
            skipped |= descendants(edges, number)
        else:
            schedule.finished(ended)
            made.add(number)
    assert [number_of[name] for name in schedule.failed] == failed
    assert {number_of[name] for name in schedule.skipped} == skipped
    assert made == set(range(len(edges))) - skipped - set(failed)
    if not failed:
        schedule.close()
        return
    with pytest.raises(ConfigError) as caught:
        schedule.close()
    assert str(caught.value) == (
        f"{len(failed)} of {len(edges) - len(there)} nodes failed and {len(skipped)} could not "
        f"start; the first, {names[failed[0]]}: reason {failed[0]}"
    )


def test_a_failure_stops_unless_one_keeps_going():
    schedule, _ = scheduled([[], []])
    with pytest.raises(DivergedError, match="as told"):
        schedule.fail(schedule.next(), DivergedError("as told"))


def test_one_node_in_two_roles_is_waited_for_once(tmp_path):
    """As an original model, which is its own origin."""
    graph = Graph(Store(tmp_path))
    first = graph.add("empty", {"number": 0})
    second = graph.add("empty", {"number": 1}, {"model": first, "origin": first})
    schedule = Schedule(Plan(graph=graph, missing=(first, second), seconds={}))
    schedule.finished(schedule.next())
    assert schedule.next().id == second
    assert schedule.next() is None


@pytest.mark.parametrize(
    ("edges", "there", "chain"),
    [
        ([[], [0], [1]], (), True),
        ([[], [0], [0]], (), False),
        ([[], []], (), False),
        ([[], [0], [0]], (0, 1), True),
        ([[]], (0,), True),
        ([[], [], [0, 1]], (), False),
        ([[], [0], [0, 1]], (), True),
    ],
)
def test_a_chain_has_never_two_nodes_at_once(edges, there, chain):
    assert scheduled(edges, there)[0].is_chain is chain


@given(dag=dags())
def test_in_a_chain_each_node_waits_for_all_before_it(dag):
    edges, there = dag
    left = [number for number in range(len(edges)) if number not in there]
    after = {number: descendants(edges, number) for number in left}
    ordered = all(b in after[a] or a in after[b] for a in left for b in left if a != b)
    assert scheduled(edges, there)[0].is_chain is ordered
