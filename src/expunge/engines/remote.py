"""What engines of other machines have in common: tasks that travel, and what their workers do.

A task is the JSON of a few nodes and where the store is. Everything else, data and artefacts
included, goes through the file system that holds the store.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from expunge.errors import ExpungeError, StoreError
from expunge.graph.make import make_node
from expunge.graph.runtime import Place, Runtime
from expunge.runs import Node, Store

Outcome: TypeAlias = "float | ExpungeError | None"
"""The seconds that a node took, None where it was there already, or why it failed."""

JOBS = ".jobs"
"""The folder of a store where runs on other machines have a folder each while they go on."""
_SECONDS_TO_APPEAR = 3.0
"""Network file systems show what another machine wrote only after a while."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a run's workers find its store, and how they know that it is that one."""

    root: Path
    """Of the store; the same path on every machine."""
    mark: str
    """The run's own folder in `JOBS`. A worker that does not see it sees another file system."""
    host: str
    """Of the run."""

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        return self.root / JOBS / self.mark


@contextmanager
def open_site(store: Store) -> Iterator[Site]:
    """Mark the store for the block; the mark stays, with what was written into it, if it raises.

    Raises:
        StoreError: the store cannot be written.
    """
    host = os.uname().nodename
    root = store.root.absolute()
    site = Site(root=root, mark=f"{host}-{os.getpid()}-{secrets.token_hex(8)}", host=host)
    try:
        site.folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"cannot write in {store.root}: {error.strerror}") from error
    try:
        yield site
    except BaseException:
        with suppress(OSError):  # logs stay
            site.folder.rmdir()
        raise
    shutil.rmtree(site.folder, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Task:
    """Nodes for one worker to make, in this order."""

    nodes: Sequence[tuple[dict[str, Any], str]]
    """The JSON of each, and what people call it."""
    engine: str
    keep_going: bool = False
    """Whether the next is begun when one fails."""


def make_nodes(task: Task, site: Site, place: Place) -> list[Outcome]:
    """Make a task's nodes in this process; one outcome for each that was begun."""
    outcomes: list[Outcome] = []
    for value, label in task.nodes:
        try:
            store, runtime = _workplace(site, place)
            outcomes.append(make_node(store, Node.from_json(value), runtime, label, task.engine))
        except ExpungeError as error:
            outcomes.append(error)
            if not task.keep_going:
                break
    return outcomes


_workplaces: dict[str, tuple[Store, Runtime]] = {}
"""By mark: what this worker process has open. One at a time."""


def _workplace(site: Site, place: Place) -> tuple[Store, Runtime]:
    if site.mark not in _workplaces:
        _check_site(site)
        _workplaces.clear()
        _workplaces[site.mark] = Store(site.root), Runtime(place)
    return _workplaces[site.mark]


def _check_site(site: Site) -> None:
    """Refuse to work where the store's file system is not.

    Raises:
        StoreError: the run's folder is not there.
    """
    late = time.monotonic() + _SECONDS_TO_APPEAR
    while not site.folder.is_dir():
        if time.monotonic() > late:
            raise StoreError(
                f"the worker on {os.uname().nodename} does not see the store {site.root} of "
                f"{site.host}: every worker needs the store's own file system, at the same path"
            )
        time.sleep(0.1)
