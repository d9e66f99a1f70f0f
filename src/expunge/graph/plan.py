"""Which nodes of a graph are missing from the store, and how long they may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from expunge.graph.graph import Graph
from expunge.graph.times import estimate


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A graph compared with its store."""

    graph: Graph
    missing: tuple[str, ...]
    """The ids of nodes that are not in the store, parents before children."""
    seconds: Mapping[str, float | None]
    """How long each missing node may take; None where the store has no similar node."""

    def to_json(self) -> dict[str, Any]:
        """Every node with its label, its parents, whether it is in the store, and its estimate."""
        missing = set(self.missing)
        return {
            "store": str(self.graph.store.root),
            "there": len(self.graph) - len(missing),
            "missing": len(missing),
            "estimated_seconds": self.total(),
            "unknown": sum(self.seconds[node_id] is None for node_id in missing),
            "nodes": [
                {
                    "id": node.id,
                    "kind": node.kind,
                    "label": self.graph.labels[node.id],
                    "parents": dict(node.parents),
                    "there": node.id not in missing,
                    "estimated_seconds": self.seconds.get(node.id),
                }
                for node in self.graph
            ],
        }

    def total(self) -> float:
        """The sum of the known estimates: the seconds that one process takes."""
        return sum(seconds or 0.0 for seconds in self.seconds.values())

    def by_kind(self) -> list[tuple[str, int, int, float | None]]:
        """Per kind: how many nodes, how many in the store, and seconds that the rest may take."""
        missing = set(self.missing)
        counts = Counter(node.kind for node in self.graph)
        rows = []
        for kind, count in counts.items():
            rest = [node.id for node in self.graph if node.kind == kind and node.id in missing]
            known = [self.seconds[node_id] for node_id in rest]
            total = None if None in known else sum(seconds or 0.0 for seconds in known)
            rows.append((kind, count, count - len(rest), total))
        return rows


def plan(graph: Graph) -> Plan:
    """Look into the store once, and list what is missing."""
    there = graph.store.ids()
    missing = tuple(node.id for node in graph if node.id not in there)
    return Plan(
        graph=graph,
        missing=missing,
        seconds=estimate(graph.store, (graph.node(node_id) for node_id in missing)),
    )
