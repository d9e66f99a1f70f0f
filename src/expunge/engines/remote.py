"""What engines on other machines share: tasks to send, and what their workers do.

A task is the JSON of a few nodes, sent with the path of the store. Everything else, including data
and artefacts, goes through the file system that holds the store.
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
"""The seconds that a node took, None if it was already in the store, or why it failed."""

JOBS = ".jobs"
"""The folder of a store where each run on other machines has a folder while it lasts."""
_SECONDS_TO_APPEAR = 3.0
"""Network file systems show another machine's files only after a while."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a run's workers find its store, and how they recognise it."""

    root: Path
    """The store's path, the same on every machine."""
    mark: str
    """The run's folder in `JOBS`. A worker that does not see it is on another file system."""
    host: str
    """The machine where the run was started."""
    directory: Path
    """The working directory where the run was started, which may not be on every machine."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.root / JOBS / self.mark


@contextmanager
def open_site(store: Store) -> Iterator[Site]:
    """Create the run's folder for the block; if the block raises, a folder with logs stays.

    Raises:
        StoreError: the store cannot be written.
    """
    host = os.uname().nodename
    root = store.root.absolute()
    mark = f"{host}-{os.getpid()}-{secrets.token_hex(8)}"
    site = Site(root=root, mark=mark, host=host, directory=Path.cwd())
    try:
        site.folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"cannot write to {store.root}: {error.strerror}") from error
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
    """The JSON and the label of each."""
    engine: str
    keep_going: bool = False
    """Whether to start the next when one fails."""


def make_nodes(task: Task, site: Site, place: Place) -> list[Outcome]:
    """Make a task's nodes in this process; return one outcome for each that was started."""
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
"""By mark: the store and runtime of this worker process. At most one."""


def _workplace(site: Site, place: Place) -> tuple[Store, Runtime]:
    if site.mark not in _workplaces:
        _check_site(site)
        with suppress(OSError):
            os.chdir(site.directory)
        _workplaces.clear()
        _workplaces[site.mark] = Store(site.root), Runtime(place)
    return _workplaces[site.mark]


def _check_site(site: Site) -> None:
    """Refuse to work on a machine without the store's file system.

    Raises:
        StoreError: the run's folder cannot be seen.
    """
    late = time.monotonic() + _SECONDS_TO_APPEAR
    while not site.folder.is_dir():
        if time.monotonic() > late:
            raise StoreError(
                f"the worker on {os.uname().nodename} does not see the store {site.root} of "
                f"{site.host}: every worker needs the store's own file system, at the same path"
            )
        time.sleep(0.1)
