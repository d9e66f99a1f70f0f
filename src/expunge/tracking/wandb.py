"""Weights & Biases: offline, unless the user's own `WANDB_MODE` says otherwise."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from expunge.errors import ConfigError, StoreError, line_of
from expunge.tracking.sink import Run

_FORBIDDEN = r"[/\\#?%:]"


class WeightsAndBiases:
    """Writes runs of a project; offline ones lie in `wandb/`, for `wandb sync`.

    Raises:
        ConfigError: W&B takes no project of this name.
        ImportError: W&B is not installed.
    """

    def __init__(self, place: str) -> None:
        if re.search(_FORBIDDEN, place) or len(place) > 128:
            raise ConfigError(
                f"--track wandb:{place}: a project's name has at most 128 characters and none of "
                "/ \\ # ? % :"
            )
        self.project = place
        # What is offline reports nothing, not even errors of its own.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._wandb: Any = wandb

    def has(self, run_id: str) -> bool:
        """Whether files of the run are in W&B's folder."""
        folder = Path(os.environ.get("WANDB_DIR") or ".") / "wandb"
        return any(folder.glob(f"*run-*-{run_id}"))

    def write(self, run: Run) -> None:
        """Write a run: values by epoch, and what was measured as its summary.

        Raises:
            StoreError: W&B cannot write it, or in a mode that asks for its server, reach that.
        """
        wandb = self._wandb
        try:
            started = wandb.init(
                project=self.project,
                id=run.id,
                name=run.name,
                group=run.group,
                config=dict(run.about),
                mode=_mode(),
                settings=wandb.Settings(
                    silent=True, console="off", disable_git=True, disable_code=True
                ),
            )
            for epoch, values in enumerate(run.steps, start=1):
                started.log(dict(values), step=epoch)
            started.summary.update(dict(run.final))
            started.finish()
        except (wandb.Error, OSError) as error:
            raise StoreError(f"wandb: {line_of(error)}") from error


def _mode() -> Any:
    return os.environ.get("WANDB_MODE") or "offline"
