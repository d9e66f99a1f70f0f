"""Engines make the missing nodes of a graph: in this process, in several, or on other machines.

Engines know nothing of the kinds of nodes, and studies know nothing of engines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from expunge.engines.engine import ENGINES, Engine, Shard
from expunge.engines.watch import Watch
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.plan import Plan, plan
from expunge.graph.runtime import Place, Runtime

__all__ = ["ENGINES", "Engine", "Shard", "Watch", "check_devices", "run"]


def check_devices(engine: Engine, devices: int) -> None:
    """Refuse several devices with any engine except `here`, before starting processes for them.

    Raises:
        ConfigError: the engine does not support several devices.
    """
    if devices > 1 and (engine.name != "here" or engine.shard is not None):
        other = f"shard {engine.shard}" if engine.shard is not None else f"engine {engine.name}"
        raise ConfigError(
            f"{other} and devices={devices} cannot be combined: devices train together only under "
            "--engine here"
        )


def run(
    graph: Graph,
    engine: Engine,
    place: Place,
    watch: Watch | None = None,
    runtime: Runtime | None = None,
) -> int:
    """Make the nodes of `graph` that are not in its store.

    `runtime`, if given, is shared by this process's nodes from graph to graph.
    Returns how many nodes are left to other shards: none, unless the engine is a shard.

    Raises:
        ConfigError: the engine cannot be used with these settings.
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
    if runtime is not None:
        runtime.place = place
    if engine.shard is not None:
        from expunge.engines.shard import run_shard

        return run_shard(planned, place, watch, engine.shard, engine.keep_going, runtime)
    _run(planned, engine, place, watch, runtime)
    return 0


def _run(
    planned: Plan, engine: Engine, place: Place, watch: Watch, runtime: Runtime | None
) -> None:
    keep_going = engine.keep_going
    if engine.name == "here":
        from expunge.engines.here import run_here

        run_here(planned, place, watch, keep_going=keep_going, runtime=runtime)
    elif engine.name == "processes":
        from expunge.engines.processes import run_in_processes

        run_in_processes(planned, place, watch, engine.workers, keep_going=keep_going)
    elif engine.name == "ray":
        from expunge.engines.ray import run_on_ray

        run_on_ray(planned, place, watch, engine.workers, keep_going=keep_going)
    else:
        from expunge.engines.slurm import run_on_slurm

        run_on_slurm(planned, place, watch, engine.workers, engine.slurm, keep_going=keep_going)
