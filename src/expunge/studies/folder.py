"""An experiment's folder: its settings, its results, its report."""

import shutil
from pathlib import Path
from typing import Any

from expunge.bench.experiment import Experiment
from expunge.bench.grid import bases_of_seed, run_grid
from expunge.bench.stages.model import MODEL, WEIGHTS
from expunge.bench.workers import fill_store
from expunge.bench.workspace import Workspace, precision_on
from expunge.config import to_mapping
from expunge.errors import StoreError
from expunge.runs import environment, read_object, write_json

SETTINGS = "experiment.json"
RESULTS = "results.json"
ORIGINAL_MODEL = "original"


def run_experiment(
    workspace: Workspace, experiment: Experiment, folder: Path, reproduce: str, workers: int = 1
) -> dict[str, Any]:
    """Run what is not there yet, and leave `results.json` and the original model in `folder`.

    Several `workers` make stages at the same time; run times are then those of a shared machine.

    Raises:
        StoreError: the folder holds an experiment with other settings.
        ExpungeError: a stage fails; what was made before it stays in the store.
    """
    if workspace.leads:
        claim(folder, experiment)
    if workers > 1:
        fill_store(workspace, experiment, workers)
    cells = run_grid(workspace, experiment)
    # Asked for by every process, as every stage is; only the leading one writes.
    original = bases_of_seed(workspace, experiment, experiment.seeds[0])[0]
    results: dict[str, Any] = {
        "schema": 1,
        "title": experiment.title,
        "env": {
            **environment(),
            "device": device_name(workspace),
            "precision": precision_on(workspace.device, experiment.precision),
            "workers": workers,
        },
        "settings": plain(experiment),
        "reproduce": reproduce,
        "cells": cells,
    }
    if not workspace.leads:
        return results
    kept = keep(folder / RESULTS, results, "cells")
    _leave_original(workspace.store.path(original.run_id), folder)
    return kept


def claim(folder: Path, experiment: Experiment) -> None:
    """Make `folder` this experiment's, or find that it is already.

    Raises:
        StoreError: it holds an experiment with other settings; names the first that differs.
    """
    path = folder / SETTINGS
    asked = plain(experiment)
    if path.exists():
        there = read_object(path)
        if there != asked:
            key = next(k for k in {**asked, **there} if asked.get(k) != there.get(k))
            raise StoreError(
                f"{folder} holds an experiment with other settings ({key}: {there.get(key)!r} "
                f"there, {asked.get(key)!r} asked for): choose another --out"
            )
    elif (folder / RESULTS).exists():
        raise StoreError(f"{folder} holds results of unknown settings: choose another --out")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, asked)


def plain(experiment: Experiment) -> dict[str, Any]:
    """The experiment's settings as JSON takes them."""
    settings = to_mapping(experiment)
    for name in ("methods", "pruners"):
        settings[name] = {key: dict(value) for key, value in settings[name].items()}
    return settings


def device_name(workspace: Workspace) -> str:
    """What the device calls itself."""
    import torch

    return torch.cuda.get_device_name() if workspace.device == "cuda" else workspace.device


def keep(path: Path, results: dict[str, Any], measured: str) -> dict[str, Any]:
    """Write results, unless those at `path` hold the same under the key `measured`.

    Results that say the same keep the environment and the date of the run that measured them.
    Returns what the file holds.
    """
    if path.exists():
        there = read_object(path)
        if there.get(measured) == results[measured]:
            return there
    write_json(path, results)
    return read_object(path)


def _leave_original(source: Path, folder: Path) -> None:
    """A copy of the first seed's dense model, for people to begin with."""
    target = folder / ORIGINAL_MODEL
    if target.exists():
        return
    partial = folder / f".{ORIGINAL_MODEL}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name in (WEIGHTS, MODEL):
        shutil.copyfile(source / name, partial / name)
    partial.rename(target)
