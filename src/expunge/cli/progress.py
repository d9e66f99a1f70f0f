"""Progress on standard error: a bar with rate and time left, and a line for each finished stage."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Terminal:
    """Shows progress where somebody watches, and finished stages always."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._bar: tuple[Progress, TaskID] | None = None
        self._name = ""
        self._start = 0.0

    def progress(self, task: str, done: int, total: int, images: int) -> None:
        """`done` of `total` steps of `task`, which saw `images` images so far."""
        if not self._console.is_terminal:
            return
        if self._bar is None or task != self._name or done <= 1:
            self._close()
            self._bar = self._open(task, total)
        bar, place = self._bar
        rate = images / max(1e-9, time.perf_counter() - self._start)
        bar.update(place, completed=done, rate=f"{rate:,.0f} images/s")
        if done >= total:
            self._close()

    def announce(self, run_id: str, label: str, seconds: float | None) -> None:
        """A stage is there: made in `seconds`, or found."""
        self._close()
        took = "   found" if seconds is None else f"{seconds:7.1f}s"
        self._console.print(f"[dim]{took}[/dim]  {label}  [dim]{run_id}[/dim]", soft_wrap=True)

    def _open(self, task: str, total: int) -> tuple[Progress, TaskID]:
        self._name, self._start = task, time.perf_counter()
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}  {task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        bar.start()
        return bar, bar.add_task(task, total=total, rate="")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None
