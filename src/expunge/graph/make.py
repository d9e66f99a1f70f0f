"""Make one node: once, with its number of threads, and with a record of what made it."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from expunge.errors import ConfigError, StoreError, out_of_memory, shown
from expunge.graph.course import write_course
from expunge.graph.graph import check_kind
from expunge.graph.kinds import KINDS
from expunge.graph.runtime import Runtime
from expunge.graph.times import note_time
from expunge.runs import Node, Store, code_digest, environment


def make_node(store: Store, node: Node, runtime: Runtime, label: str, engine: str) -> float | None:
    """Make a node's artefact unless it is in the store; return the seconds it took, or None.

    Raises:
        StoreError: a parent is not in the store, or the store cannot be read or written.
        ExpungeError: the node fails.
    """
    check_kind(node)
    if runtime.place.devices > 1:
        return _make_together(store, node, runtime, label, engine)
    if store.has(node.id):
        return None
    with store.lock(node.id):
        # Another process may have made it in the meantime.
        if store.has(node.id):
            return None
        made: dict[str, Any] = {}
        with store.create(node, made) as folder:
            seconds = _make(store, node, runtime, folder)
            made |= _record(store, node, runtime, label, engine, seconds)
    note_time(store, node, seconds)
    return seconds


def _make(store: Store, node: Node, runtime: Runtime, folder: Path) -> float:
    """Run the node's kind and return the seconds it took."""
    inputs = {role: _there(store, node, parent) for role, parent in node.parents.items()}
    kind = KINDS[node.kind]
    if kind.computes:
        _compute_with(int(node.params.get("threads", 1)))
    _reset_peak()
    runtime.course.clear()
    start = time.perf_counter()
    try:
        kind.run(node, inputs, folder, runtime)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        reason = shown(" ".join(str(error).split()), limit=200)
        raise ConfigError(
            f"{node.id} needs more memory than there is ({reason}): choose smaller settings"
        ) from error
    seconds = time.perf_counter() - start
    write_course(folder, runtime.course)
    return seconds


def _record(
    store: Store, node: Node, runtime: Runtime, label: str, engine: str, seconds: float
) -> dict[str, Any]:
    """The record of what made a node, kept with its artefact."""
    computes = KINDS[node.kind].computes
    # Further training uses the precision of the original training.
    trained = node.parents.get("origin")
    params = node.params if trained is None else store.node(trained).params
    return {
        "label": label,
        "seconds": seconds,
        "peak_memory_mib": _peak_mib(),
        "engine": engine,
        "device": runtime.device_name if computes else None,
        "precision": runtime.precision_of(params.get("precision")),
        "threads": node.params.get("threads", 1),
        "code": code_digest(),
        "environment": environment(),
    }


def _make_together(
    store: Store, node: Node, runtime: Runtime, label: str, engine: str
) -> float | None:
    """Like `make_node`, with several processes: all compute, the leading one keeps its files."""
    fabric = runtime.evaluator
    # One process decides for all: if they disagreed, they would wait for each other for ever.
    there = fabric.broadcast(store.has(node.id))
    start = time.perf_counter()
    if not there and runtime.leads:
        made: dict[str, Any] = {}
        with store.create(node, made) as folder:
            seconds = _make(store, node, runtime, folder)
            made |= _record(store, node, runtime, label, engine, seconds)
    elif not there:
        with tempfile.TemporaryDirectory() as aside:
            _make(store, node, runtime, Path(aside))
    fabric.barrier()
    return None if there else time.perf_counter() - start


def _there(store: Store, node: Node, parent: str) -> Path:
    if not store.has(parent):
        raise StoreError(
            f"{node.id} needs {parent}, which is not in the store {store.root}: every worker needs "
            "the store's own file system"
        )
    return store.path(parent)


def _compute_with(threads: int) -> None:
    """Set the number of threads, because floating-point sums depend on it."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _reset_peak() -> None:
    """Reset the process's peak memory, where the system allows it."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return


def _peak_mib() -> float | None:
    """The process's peak memory since `_reset_peak`; None where the system doesn't report it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None
