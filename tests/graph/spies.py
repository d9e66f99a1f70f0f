"""Kinds of nodes that cost nothing and tell what happens to them."""

from expunge.errors import ConfigError, DivergedError
from expunge.graph.graph import Graph
from expunge.graph.kind import Kind
from expunge.graph.kinds import KINDS
from expunge.runs import Store


def spy(monkeypatch, run, **words):
    """Add a kind `spy`, which runs `run(node, inputs, out, runtime)`."""
    monkeypatch.setitem(KINDS, "spy", Kind(name="spy", version=1, run=run, **words))


def failing(node, inputs, out, runtime):
    """Fail where the params say so."""
    if node.params.get("fails"):
        raise (DivergedError if node.params["fails"] == "diverged" else ConfigError)("as told")


def line_up(store, edges, kind="spy", **params):
    """A graph of nodes by number, each made from those before it that `edges` names."""
    graph = Graph(Store(store))
    names = []
    for number, parents in enumerate(edges):
        roles = {f"p{parent}": names[parent] for parent in parents}
        own = {key: values[number] for key, values in params.items()}
        names.append(graph.add(kind, {"number": number, **own}, roles, label=f"number {number}"))
    return graph, names
