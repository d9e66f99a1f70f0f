"""Nodes by id, parents before children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from expunge.errors import ConfigError, StoreError, unknown
from expunge.graph.kinds import KINDS
from expunge.runs import Node, Store


class Graph:
    """What is wanted, and of what is there already: what it descends from.

    Nodes that are in the store are looked up when they are asked for. The order in which nodes are
    added is one in which they can be made.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.labels: dict[str, str] = {}
        """What people call each node that was added."""
        self._added: dict[str, Node] = {}
        self._found: dict[str, Node] = {}

    def add(
        self,
        kind: str,
        params: Mapping[str, Any],
        parents: Mapping[str, str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        label: str = "",
    ) -> str:
        """The id of a node that is wanted; the same node added twice is one.

        Raises:
            ConfigError: there is no such kind.
            StoreError: a parent is neither in the graph nor in the store.
        """
        if kind not in KINDS:
            raise ConfigError(unknown("kind of node", kind, KINDS))
        for parent in (parents or {}).values():
            if parent not in self._added:
                self.node(parent)
        node = Node(
            kind=kind,
            version=KINDS[kind].version,
            params=params,
            parents=parents or {},
            where=where or {},
        )
        if node.id not in self._added:
            self._added[node.id] = node
            self.labels[node.id] = label or kind
        return node.id

    def node(self, run_id: str) -> Node:
        """A node that was added, or that is in the store.

        Raises:
            StoreError: it is in neither.
        """
        if run_id in self._added:
            return self._added[run_id]
        if run_id not in self._found:
            self._found[run_id] = self.store.node(run_id)
        return self._found[run_id]

    def __contains__(self, run_id: object) -> bool:
        """Whether a node was added."""
        return run_id in self._added

    def __len__(self) -> int:
        """How many nodes are wanted."""
        return len(self._added)

    def __iter__(self) -> Iterator[Node]:
        """The nodes that are wanted, parents before children."""
        return iter(self._added.values())

    def model(self, run_id: str) -> Node:
        """The node of a model.

        Raises:
            ConfigError: it is no model.
            StoreError: there is no such node.
        """
        node = self.node(run_id)
        if node.kind not in KINDS or not KINDS[node.kind].is_model:
            models = ", ".join(name for name, kind in KINDS.items() if kind.is_model)
            raise ConfigError(f"{run_id} is no model: expected a run of kind {models}")
        return node

    def data_of(self, run_id: str) -> str:
        """The node of the data that a model descends from."""
        return self.node(run_id).parents["data"]

    def origin_of(self, run_id: str) -> str:
        """The training that a model descends from: the model itself, or the first of its line."""
        return self.node(run_id).parents.get("origin", run_id)

    def seed_of(self, run_id: str) -> int:
        """The seed of the training that a model descends from."""
        return int(self.node(self.origin_of(run_id)).params["seed"])

    def last_forgetting(self, run_id: str) -> str | None:
        """The nearest node among a model and its ancestors that forgets something."""
        node: Node | None = self.node(run_id)
        while node is not None:
            if "forget" in node.parents:
                return node.id
            node = self.node(node.parents["model"]) if "model" in node.parents else None
        return None


def check_kind(node: Node) -> None:
    """Refuse a node that this version cannot make or read.

    Raises:
        ConfigError: its kind is unknown.
        StoreError: it is of a newer version of its kind.
    """
    if node.kind not in KINDS:
        raise ConfigError(unknown("kind of node", node.kind, KINDS))
    if node.version > KINDS[node.kind].version:
        raise StoreError(
            f"{node.id} is of version {node.version} of kind {node.kind}, and this expunge knows "
            f"{KINDS[node.kind].version}: install the version that planned it"
        )
