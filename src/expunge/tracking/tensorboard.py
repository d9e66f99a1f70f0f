"""Event files for TensorBoard: a folder a run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from expunge.atomic import making
from expunge.errors import StoreError
from expunge.tracking.sink import Run

_LONGEST = 80


class TensorBoard:
    """Writes runs into folders that `tensorboard --logdir` shows, named by what they are and id.

    Raises:
        ImportError: TensorBoard is not installed.
        StoreError: it is a file, or it or the folder to make it in may not be written.
    """

    def __init__(self, place: str) -> None:
        self.folder = Path(place)
        there = (self.folder, *self.folder.absolute().parents)
        nearest = next(each for each in there if each.exists())
        if not nearest.is_dir():
            raise StoreError(f"--track tensorboard:{place}: {nearest} is a file, not a folder")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise StoreError(f"--track tensorboard:{place}: {nearest} may not be written")
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Callable[[str], Any] = SummaryWriter

    def has(self, run_id: str) -> bool:
        """Whether a folder of the run is there."""
        return any(self.folder.glob(f"*.{run_id}"))

    def write(self, run: Run) -> None:
        """Write a run's values as scalars: those by epoch at their epochs, the others at 0.

        Raises:
            StoreError: it cannot be written.
        """
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", run.name).strip("-.")[:_LONGEST]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with making(self.folder / f"{readable}.{run.id}") as aside:
                writer = self._writer(str(aside))
                about = {"name": run.name, **run.about}
                lines = [f"    {name}: {value}" for name, value in about.items()]
                writer.add_text("about", "\n".join(lines))
                for epoch, values in enumerate(run.steps, start=1):
                    for name, value in values.items():
                        writer.add_scalar(name, value, epoch)
                for name, value in run.final.items():
                    writer.add_scalar(name, value, 0)
                writer.close()
        except OSError as error:
            raise StoreError(f"{self.folder}: {error.strerror or error}") from error
