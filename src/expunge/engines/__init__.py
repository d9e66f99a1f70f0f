"""Who makes the missing nodes of a graph: this process, several, or other machines.

No engine knows a kind of node, and no study knows an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from expunge.engines.watch import Watch
from expunge.errors import ConfigError, unknown
from expunge.graph.graph import Graph
from expunge.graph.plan import plan
from expunge.graph.runtime import Place, Runtime

ENGINES = ("here", "processes")
"""The engines, by name."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Which engine makes nodes, and how."""

    name: str = "here"
    """One of `ENGINES`."""
    workers: int = 1
    """How many processes make nodes at the same time."""
    keep_going: bool = False
    """Whether a node that fails ends only what needs it."""

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise ConfigError(unknown("engine", self.name, ENGINES))
        if self.workers < 1:
            raise ConfigError(f"workers must be 1 or more, got {self.workers}")


def check_devices(engine: Engine, devices: int) -> None:
    """Refuse several devices for any engine but `here`, before processes are started for them.

    Raises:
        ConfigError: the engine cannot have several devices.
    """
    if devices > 1 and engine.name != "here":
        raise ConfigError(
            f"engine {engine.name} and devices={devices} cannot be had together: devices train "
            "together under --engine here"
        )


def run(
    graph: Graph,
    engine: Engine,
    place: Place,
    watch: Watch | None = None,
    runtime: Runtime | None = None,
) -> None:
    """Make the nodes of `graph` that are not in its store.

    `runtime`, if there is one, is what nodes of this process share from graph to graph.

    Raises:
        ConfigError: the engine cannot do what is asked of it.
        ExpungeError: a node fails; what was made before it stays in the store.
    """
    check_devices(engine, place.devices)
    watch = watch or Watch()
    planned = plan(graph)
    missing = set(planned.missing)
    if place.devices == 1 or runtime is None or runtime.leads:
        for node in graph:
            if node.id not in missing:
                watch.announce(node.id, graph.labels[node.id], None)
    where: Mapping[str, Mapping[str, Any]] = {
        node.id: dict(node.where) for node in graph if node.where
    }
    place = replace(place, where={**place.where, **where})
    if engine.name == "here":
        from expunge.engines.here import run_here

        if runtime is not None:
            runtime.place = place
        run_here(planned, place, watch, keep_going=engine.keep_going, runtime=runtime)
        return
    from expunge.engines.processes import run_in_processes

    run_in_processes(planned, place, watch, engine.workers, keep_going=engine.keep_going)
