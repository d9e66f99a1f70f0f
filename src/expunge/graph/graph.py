"""The graph: nodes by id, parents before children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from expunge.errors import ConfigError, StoreError, unknown
from expunge.graph.kinds import KINDS
from expunge.models.networks import task_of
from expunge.runs import Node, Store


class Graph:
    """The nodes to make, and those in the store that they descend from.

    Nodes in the store are looked up when asked for. Nodes can be made in the order in which they
    are added.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.labels: dict[str, str] = {}
        """By id: the label of each added node, for people."""
        self.notes: list[str] = []
        """Texts for people: what was read, and what they should know before nodes are made."""
        self.uncounted: set[str] = set()
        """Forget sets whose number of samples is known once they are made."""
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
        """Add a node and return its id; adding the same node twice adds it once.

        Raises:
            ConfigError: no kind has this name.
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
        """A node that was added or is in the store.

        Raises:
            StoreError: it is neither.
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
        """How many nodes were added."""
        return len(self._added)

    def __iter__(self) -> Iterator[Node]:
        """The added nodes, parents before children."""
        return iter(self._added.values())

    def model(self, run_id: str) -> Node:
        """The node of a model.

        Raises:
            ConfigError: it is not a model.
            StoreError: no node has this id.
        """
        node = self.node(run_id)
        if node.kind not in KINDS or not KINDS[node.kind].is_model:
            models = ", ".join(name for name, kind in KINDS.items() if kind.is_model)
            raise ConfigError(f"{run_id} is not a model: expected a run of kind {models}")
        return node

    def data_of(self, run_id: str) -> str:
        """The data node that a model descends from."""
        return self.node(run_id).parents["data"]

    def origin_of(self, run_id: str) -> str:
        """The original model that a model descends from, or the model itself."""
        return self.node(run_id).parents.get("origin", run_id)

    def seed_of(self, run_id: str) -> int:
        """The seed of the original model that a model descends from."""
        return int(self.node(self.origin_of(run_id)).params["seed"])

    def task_of(self, run_id: str) -> str:
        """The task of the original model that a model descends from."""
        network = self.node(self.origin_of(run_id)).params["network"]
        return task_of(network["name"], network.get("task"))

    def last_forgetting(self, run_id: str) -> str | None:
        """The nearest node that forgets something, among a model and its ancestors."""
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
        StoreError: its kind has a newer version.
    """
    if node.kind not in KINDS:
        raise ConfigError(unknown("kind of node", node.kind, KINDS))
    if node.version > KINDS[node.kind].version:
        raise StoreError(
            f"{node.id} has version {node.version} of kind {node.kind}, and this expunge knows "
            f"{KINDS[node.kind].version}: install the version that planned it"
        )
