"""The documents that benchmarks write."""

from pathlib import Path

import torch

from expunge.runs import JSON, environment, write_json

SCHEMA = 1


def write(path: Path, **parts: JSON) -> None:
    """Replace the file by these parts, and what they were measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"schema": SCHEMA, "env": measured_on(), **parts})


def measured_on() -> dict[str, JSON]:
    """The environment, with what a benchmark depends on beside it: threads, the accelerator."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {**environment(), "threads": torch.get_num_threads(), "accelerator": accelerator}
