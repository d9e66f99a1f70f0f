"""The documents that benchmarks write."""

from pathlib import Path

import torch

from expunge.runs import JSON, environment, write_json

SCHEMA = 1


def write(path: Path, **parts: JSON) -> None:
    """Replace the file by these parts, and what they were measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    env = {**environment(), "threads": torch.get_num_threads()}
    write_json(path, {"schema": SCHEMA, "env": env, **parts})
