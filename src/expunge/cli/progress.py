"""Progress on standard error: a bar with rate and time left, and a line for each finished node."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from expunge.cli.output import console, visible

if TYPE_CHECKING:
    from rich.console import Console


class Terminal:
    """Shows progress on a terminal, and finished nodes everywhere.

    Tasks that run in parallel have a bar each.
    """

    def __init__(self, shown_on: Console | None = None) -> None:
        self._console = shown_on or console(stderr=True)
        self._bars: Progress | None = None
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._found = 0
        self._minor: dict[str, tuple[int, float]] = {}

    def progress(self, task: str, done: int, total: int, images: int) -> None:
        """Show `done` of `total` steps of `task`, which has processed `images` images so far."""
        if not self._console.is_terminal:
            return
        if self._bars is None:
            self._bars = self._open()
        if task not in self._tasks or done <= 1:
            self._remove(task)
            added = self._bars.add_task(task, total=total, rate="")
            self._tasks[task] = added, time.perf_counter()
        bar, start = self._tasks[task]
        rate = images / max(1e-9, time.perf_counter() - start)
        self._bars.update(bar, completed=done, rate=f"{rate:,.0f} images/s")
        if done >= total and len(self._tasks) > 1:
            self._remove(task)
        elif done >= total:
            self._close()

    def announce(self, node_id: str, label: str, seconds: float | None, *, minor: bool) -> None:
        """Show a node made in `seconds`; minor nodes, and those found (None), are only counted."""
        if seconds is None:
            self._found += 1
            return
        if minor:
            kind = node_id.rpartition("-")[0]
            count, together = self._minor.get(kind, (0, 0.0))
            self._minor[kind] = (count + 1, together + seconds)
            return
        self._line(f"{seconds:7.1f}s", label, node_id)

    def summarise(self) -> None:
        """Print how many nodes were found, and how many minor ones were made."""
        if self._found:
            self._line("   found", f"{self._found} in the store")
        for kind, (count, together) in self._minor.items():
            self._line(f"{together:7.1f}s", f"{kind}: {count} made")
        self._found, self._minor = 0, {}

    def _line(self, took: str, label: str, node_id: str = "") -> None:
        """Print one line. Brackets in labels, such as those of file names, are not markup."""
        line = Text.assemble(
            (took, "dim"), f"  {visible(label)}", (f"  {node_id}" if node_id else "", "dim")
        )
        self._console.print(line, soft_wrap=True)

    def _open(self) -> Progress:
        bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}  {task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        bars.start()
        return bars

    def _remove(self, task: str) -> None:
        if self._bars is not None and task in self._tasks:
            self._bars.remove_task(self._tasks.pop(task)[0])

    def _close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()
