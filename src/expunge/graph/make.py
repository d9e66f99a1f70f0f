"""Making one node: once, with the threads that it asks for, and with a record of what made it."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from expunge.errors import StoreError
from expunge.graph.graph import check_kind
from expunge.graph.kinds import KINDS
from expunge.graph.runtime import Runtime
from expunge.graph.times import note_time
from expunge.runs import Node, Store, checked, code_digest, environment, read_object, write_json

MADE = "made.json"
"""The file of every artefact that says what made it."""

Announce = Callable[[str, str, float | None], None]
"""Told once of every node that is there: its id, what people call it, and the seconds that it took,
or None when it was there already."""


def make_node(store: Store, node: Node, runtime: Runtime, label: str, engine: str) -> float | None:
    """Make a node's artefact if it is not in the store; the seconds that it took, None if it was.

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
        # Another process may have made it while this one waited.
        if store.has(node.id):
            return None
        with store.create(node) as folder:
            seconds = _make(store, node, runtime, label, engine, folder)
    note_time(store, node, seconds)
    return seconds


def made_by(folder: Path) -> dict[str, Any]:
    """What made the artefact in `folder`: environment, engine, device, threads, seconds, memory."""
    return read_object(checked(folder, MADE))


def _make(
    store: Store, node: Node, runtime: Runtime, label: str, engine: str, folder: Path
) -> float:
    inputs = {role: _there(store, node, parent) for role, parent in node.parents.items()}
    kind = KINDS[node.kind]
    if kind.computes:
        _compute_with(int(node.params.get("threads", 1)))
    _reset_peak()
    start = time.perf_counter()
    kind.run(node, inputs, folder, runtime)
    seconds = time.perf_counter() - start
    if runtime.leads:
        record: Mapping[str, Any] = {
            "label": label,
            "seconds": seconds,
            "peak_memory_mib": _peak_mib(),
            "engine": engine,
            "device": runtime.device_name if kind.computes else None,
            "precision": runtime.precision_of(node.params.get("precision")),
            "threads": node.params.get("threads", 1),
            "code": code_digest(),
            "environment": environment(),
        }
        write_json(folder / MADE, record)
    return seconds


def _make_together(
    store: Store, node: Node, runtime: Runtime, label: str, engine: str
) -> float | None:
    """As `make_node`, by several processes: all compute, the leading one keeps what it wrote."""
    fabric = runtime.evaluator
    # One process looks, for all must decide alike or wait for each other for ever.
    there = fabric.broadcast(store.has(node.id))
    start = time.perf_counter()
    if not there and runtime.leads:
        with store.create(node) as folder:
            _make(store, node, runtime, label, engine, folder)
    elif not there:
        with tempfile.TemporaryDirectory() as aside:
            _make(store, node, runtime, label, engine, Path(aside))
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
    """What `threads` computes is what it asks for: sums are taken in another order with others."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _reset_peak() -> None:
    """Let the process's peak memory begin anew, where the system can."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return


def _peak_mib() -> float | None:
    """The most memory that the process held since `_reset_peak`; None where nobody can tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None
