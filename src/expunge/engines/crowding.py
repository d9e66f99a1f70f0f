"""More threads than cores: the workers of the engine `processes` then wait for each other."""

from __future__ import annotations

from expunge.engines.engine import Engine
from expunge.graph.graph import Graph
from expunge.runs import available_cores


def crowding(graph: Graph, engine: Engine) -> str | None:
    """What to say where workers and the threads of missing nodes are more than the cores; or None.

    Threads are part of a model's id, since its numbers depend on them: no engine may lower them.
    """
    if engine.name != "processes":
        return None
    cores = available_cores()
    missing = (node for node in graph if not graph.store.has(node.id))
    threads = max((int(node.params.get("threads", 1)) for node in missing), default=1)
    workers = engine.workers or cores
    if 1 in (threads, workers) or workers * threads <= cores:
        return None
    return (
        f"note: {workers} workers of up to {threads} threads each share {cores} core"
        f"{'s' * (cores > 1)} and wait for each other: --workers {max(1, cores // threads)} may be "
        "faster, or threads = 1 in the recipe's [network], which makes other models"
    )
