"""Which missing node may start, what waits for it, and what happens when one fails."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from expunge.errors import ExpungeError
from expunge.graph.plan import Plan
from expunge.runs import Node


class Schedule:
    """The missing nodes of a plan, parents before children.

    Of the nodes that may start, the one with the longest chain of descendants comes first; among
    equals, the one planned first.
    """

    def __init__(self, plan: Plan, *, keep_going: bool = False) -> None:
        self.keep_going = keep_going
        """Whether a failed node stops only the nodes that need it."""
        self.failed: dict[str, ExpungeError] = {}
        """Failed nodes and their errors."""
        self.skipped: set[str] = set()
        """Nodes that cannot be made because an ancestor failed."""
        self._nodes: dict[str, Node] = {name: plan.graph.node(name) for name in plan.missing}
        self._children: dict[str, list[str]] = {name: [] for name in self._nodes}
        self._waits: dict[str, int] = {}
        for name, node in self._nodes.items():
            before = {parent for parent in node.parents.values() if parent in self._nodes}
            self._waits[name] = len(before)
            for parent in before:
                self._children[parent].append(name)
        place = {name: number for number, name in enumerate(self._nodes)}
        height = _heights(self._nodes, self._children)
        self._longest = max(height.values(), default=0)
        self._rank: Mapping[str, tuple[int, int]] = {
            name: (-height[name], place[name]) for name in self._nodes
        }
        self._ready: list[tuple[tuple[int, int], str]] = []
        for name, count in self._waits.items():
            if count == 0:
                heapq.heappush(self._ready, (self._rank[name], name))
        self._left = len(self._nodes)

    @property
    def done(self) -> bool:
        """Whether every node is made, failed or skipped."""
        return self._left == 0

    @property
    def ready(self) -> int:
        """How many nodes may start."""
        return len(self._ready)

    @property
    def is_chain(self) -> bool:
        """Whether no two nodes can ever be made in parallel."""
        return self._longest == len(self._nodes)

    def next(self) -> Node | None:
        """The node to start next; None if none may start now."""
        if not self._ready:
            return None
        return self._nodes[heapq.heappop(self._ready)[1]]

    def put_back(self, node: Node) -> None:
        """Return a node that was not started or not finished, so that it may start again."""
        heapq.heappush(self._ready, (self._rank[node.id], node.id))

    def finished(self, node: Node) -> None:
        """Record that a node is made."""
        self._left -= 1
        for child in self._children[node.id]:
            self._waits[child] -= 1
            if self._waits[child] == 0 and child not in self.skipped:
                heapq.heappush(self._ready, (self._rank[child], child))

    def fail(self, node: Node, error: ExpungeError) -> None:
        """Record that a node failed: stop, or continue with those that do not need it.

        Raises:
            ExpungeError: `error`, unless the schedule keeps going.
        """
        if not self.keep_going:
            raise error
        self.failed[node.id] = error
        self._left -= 1
        waiting = list(self._children[node.id])
        while waiting:
            name = waiting.pop()
            if name not in self.skipped:
                self.skipped.add(name)
                self._left -= 1
                waiting.extend(self._children[name])

    def close(self) -> None:
        """Raise if nodes failed, once everything else is made.

        Raises:
            ExpungeError: of the first failure's type, with the number of nodes not made.
        """
        if self.failed:
            name, first = next(iter(self.failed.items()))
            raise type(first)(
                f"{len(self.failed)} of {len(self._nodes)} nodes failed and {len(self.skipped)} "
                f"could not start; the first, {name}: {first}"
            )


def _heights(nodes: Mapping[str, Node], children: Mapping[str, list[str]]) -> dict[str, int]:
    """The length of the longest chain that starts at each node; children follow their parents."""
    heights: dict[str, int] = {}
    for name in reversed(list(nodes)):
        heights[name] = 1 + max((heights[child] for child in children[name]), default=0)
    return heights
