"""One shard of a run, for any scheduler that can start the same command several times.

Every shard plans the whole graph and makes the nodes of its share. If it needs another shard's
node, it waits for it, or makes it itself if no process is making it. So a shard also finishes
alone, and does not wait for a shard that died. Shards share only the store.
"""

from __future__ import annotations

import time

from expunge.engines.engine import Shard
from expunge.engines.schedule import Schedule
from expunge.engines.watch import Watch
from expunge.errors import ExpungeError
from expunge.graph.make import make_node
from expunge.graph.plan import Plan
from expunge.graph.runtime import Place, Runtime
from expunge.runs import Node

PATIENCE = 2.0
"""Seconds to wait for another shard to start a node of its share that is needed here."""
_SECONDS_BETWEEN_LOOKS = 0.2


def run_shard(
    plan: Plan,
    place: Place,
    watch: Watch,
    shard: Shard,
    keep_going: bool,
    runtime: Runtime | None,
) -> int:
    """Make a shard's missing nodes; return how many nodes of the graph are left to the others.

    Raises:
        ExpungeError: a node fails; what was made before it stays in the store.
    """
    wanted = plan if shard.waits else _wanted(plan, shard)
    schedule = Schedule(wanted, keep_going=keep_going)
    _Worker(plan, watch, shard, runtime or Runtime(place, watch.progress)).run(schedule)
    schedule.close()
    there = plan.graph.store.ids()
    return sum(node_id not in there for node_id in plan.missing)


class _Worker:
    """Makes its share, and what that needs if no other process makes it."""

    def __init__(self, plan: Plan, watch: Watch, shard: Shard, runtime: Runtime) -> None:
        self.graph = plan.graph
        self.watch = watch
        self.shard = shard
        self.runtime = runtime
        self.others: dict[str, tuple[Node, float]] = {}
        """Nodes of other shards that may start, and since when this shard waits for them."""
        self.absent: set[int] = set()
        """Shards that did not make a node in time: not started yet, or dead."""

    def run(self, schedule: Schedule) -> None:
        """Make the nodes of a schedule, or wait for others to make them.

        Raises:
            ExpungeError: a node fails.
        """
        while not schedule.done:
            node = schedule.next()
            if node is None:
                self._help(schedule)
            elif self.shard.owns(node.id):
                self._make(schedule, node)
            else:
                self.others[node.id] = node, time.monotonic()

    def _help(self, schedule: Schedule) -> None:
        """Look for what others have made; if there is nothing, make an overdue node, or wait."""
        there = self.graph.store.ids()
        made = [node for node, _ in self.others.values() if node.id in there]
        for node in made:
            del self.others[node.id]
            self.absent.discard(self.shard.owner(node.id))
            self.watch.announce(node.id, self.graph.labels[node.id], None)
            schedule.finished(node)
        if made:
            return
        for node, since in self.others.values():
            late = time.monotonic() - since > PATIENCE
            owner = self.shard.owner(node.id)
            if (late or owner in self.absent) and not self.graph.store.being_made(node):
                del self.others[node.id]
                self.absent.add(owner)
                self._make(schedule, node)
                return
        time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _make(self, schedule: Schedule, node: Node) -> None:
        label = self.graph.labels[node.id]
        try:
            seconds = make_node(self.graph.store, node, self.runtime, label, f"shard {self.shard}")
        except ExpungeError as error:
            schedule.fail(node, error)
            return
        self.watch.announce(node.id, label, seconds)
        schedule.finished(node)


def _wanted(plan: Plan, shard: Shard) -> Plan:
    """The part of a plan that a shard needs: its share, and what that descends from."""
    missing = set(plan.missing)
    wanted: set[str] = set()
    # Going backwards, children come before their parents and mark them as wanted.
    for node_id in reversed(plan.missing):
        if node_id in wanted or shard.owns(node_id):
            wanted.add(node_id)
            wanted |= missing.intersection(plan.graph.node(node_id).parents.values())
    rest = tuple(node_id for node_id in plan.missing if node_id in wanted)
    return Plan(graph=plan.graph, missing=rest, seconds={name: plan.seconds[name] for name in rest})
