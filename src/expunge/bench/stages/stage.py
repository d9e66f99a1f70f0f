"""A stage: what it is, and how its artefact is made."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from expunge.bench.workspace import Workspace
from expunge.runs import Spec


@dataclass(frozen=True)
class Stage:
    """An artefact that may be in the store already, and the function that writes it."""

    spec: Spec
    label: str
    """What people call it."""
    make: Callable[[Path], None]
    """Writes the artefact's files into an empty folder."""


def ensure(workspace: Workspace, stage: Stage) -> str:
    """The id of the stage's artefact, made now if it is not in the store.

    Raises:
        StoreError: the store cannot be read or written.
    """
    store, run_id = workspace.store, stage.spec.id
    if workspace.devices > 1:
        return _ensure_together(workspace, stage)
    if store.has(run_id):
        workspace.tell(run_id, stage.label, None)
        return run_id
    with store.lock(run_id):
        # Another process may have made it while this one waited.
        if store.has(run_id):
            workspace.tell(run_id, stage.label, None)
            return run_id
        start = time.perf_counter()
        with store.create(stage.spec) as folder:
            stage.make(folder)
    workspace.tell(run_id, stage.label, time.perf_counter() - start)
    return run_id


def _ensure_together(workspace: Workspace, stage: Stage) -> str:
    """As `ensure`, by several processes: all compute, the leading one keeps what it wrote."""
    store, run_id, fabric = workspace.store, stage.spec.id, workspace.evaluator
    # One process looks, for all must decide alike or wait for each other for ever.
    there = fabric.broadcast(store.has(run_id))
    start = time.perf_counter()
    if not there and workspace.leads:
        with store.create(stage.spec) as folder:
            stage.make(folder)
    elif not there:
        with tempfile.TemporaryDirectory() as aside:
            stage.make(Path(aside))
    fabric.barrier()
    workspace.tell(run_id, stage.label, None if there else time.perf_counter() - start)
    return run_id
