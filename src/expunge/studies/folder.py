"""A study's folder: its settings, its results, and the original model for people to start from."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from expunge.atomic import making
from expunge.config import to_mapping
from expunge.digest import digest
from expunge.errors import StoreError
from expunge.graph.model_files import MODEL, WEIGHTS
from expunge.metrics import get_metric
from expunge.runs import Store, checked, create_json, read_document, read_object, write_document
from expunge.studies.grid import Cell, collect_cells
from expunge.studies.images import images_of
from expunge.studies.made import Makers
from expunge.studies.pictures import pictures_of
from expunge.studies.recipe import Experiment

_log = logging.getLogger(__name__)

SCHEMA = 2
SETTINGS = "experiment.json"
RESULTS = "results.json"
ORIGINAL_MODEL = "original"
_WORDS = ("title", "claims", "published")
"""Settings that are about numbers, and change none."""


def collect_grid(
    store: Store,
    experiment: Experiment,
    cells: list[Cell],
    reproduce: str,
    searches: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The results document of a grid whose nodes are all in the store, and of its searches.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    makers = Makers()
    rows = collect_cells(store, cells, makers)
    metrics = {name: get_metric(name) for name in experiment.metrics}
    pictures, images = pictures_of(store, cells), images_of(store, cells)
    return {
        "schema": SCHEMA,
        "title": experiment.title,
        "makers": makers.listed,
        "metrics": {
            name: {"unit": metric.unit, "compared": metric.compared, "title": metric.title}
            for name, metric in metrics.items()
        },
        "settings": plain(experiment),
        "reproduce": reproduce,
        **recipe_of(experiment, plain(experiment)),
        "cells": rows,
        **({"searches": [*searches]} if searches else {}),
        **({"pictures": pictures} if pictures else {}),
        **({"images": images} if images else {}),
    }


def claim(folder: Path, experiment: Experiment) -> None:
    """Reserve `folder` for this experiment, unless it already is.

    Raises:
        StoreError: it holds an experiment with other settings; the message names the first.
    """
    claim_settings(folder, plain(experiment))


def claim_settings(folder: Path, asked: dict[str, Any]) -> None:
    """Reserve `folder` for an experiment with these settings, unless it already is.

    Raises:
        StoreError: it holds an experiment with other settings; the message names the first.
    """
    check_settings(folder, asked)
    if not (folder / SETTINGS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Another shard may do the same at this moment: the first to write decides.
        create_json(folder / SETTINGS, _reserved(asked))
        check_settings(folder, asked)


def check_settings(folder: Path, asked: dict[str, Any]) -> None:
    """Refuse a folder that belongs to an experiment with other settings than these.

    Raises:
        StoreError: it holds such an experiment; the message names the first that differs.
    """
    path = folder / SETTINGS
    if not path.exists():
        if (folder / RESULTS).exists():
            raise StoreError(f"{folder} holds results of unknown settings: choose another --out")
        return
    asked, there = _reserved(asked), read_object(path)
    if there != asked:
        key = next(k for k in {**asked, **there} if asked.get(k) != there.get(k))
        raise StoreError(
            f"{folder} holds an experiment with other settings ({key}: {there.get(key)!r} "
            f"there, {asked.get(key)!r} asked for): choose another --out"
        )


def _reserved(settings: dict[str, Any]) -> dict[str, Any]:
    # What is published changes nothing that is made: it may be added to a run that has begun.
    return {name: value for name, value in settings.items() if name != "published"}


def plain(experiment: Experiment) -> dict[str, Any]:
    """The experiment's settings as JSON values."""
    settings = to_mapping(experiment)
    settings.pop("recipe", None)  # which says where they stand
    for name in ("methods", "pruners"):
        settings[name] = {key: dict(value) for key, value in settings[name].items()}
    if not experiment.published:
        del settings["published"]
    return settings


def recipe_of(experiment: Experiment, settings: dict[str, Any]) -> dict[str, Any]:
    """What a document says of its recipe; nothing if it was not read from a file."""
    if experiment.recipe is None:
        return {}
    chosen = to_mapping(experiment.recipe)
    del chosen["left_out"]
    return {"recipe": {**chosen, "only": chosen.get("only"), "digest": settings_digest(settings)}}


def settings_digest(settings: dict[str, Any]) -> str:
    """The digest of what an experiment's numbers depend on: its settings without its words."""
    rest = {name: value for name, value in settings.items() if name not in _WORDS}
    return digest(json.dumps(rest, sort_keys=True).encode())


def keep(path: Path, results: dict[str, Any], measured: str) -> dict[str, Any]:
    """Write results, unless those at `path` are whole, and the same under the key `measured`.

    Results that are the same, of the same recipe, keep their makers and dates, and get the settings
    that are asked for: published values may have been added. Returns the content of the file.
    """
    if path.exists():
        try:
            there = read_document(path)
        except StoreError as error:
            _log.warning("note: %s: it is written again from the store", error)
        else:
            if all(there.get(name) == results.get(name) for name in (measured, "recipe")):
                if there.get("settings") == results.get("settings"):
                    return there
                results = {**there, "settings": results["settings"]}
    write_document(path, results)
    return read_document(path)


def leave_original(source: Path, folder: Path) -> None:
    """Copy a dense model into a study's folder, unless it has one already."""
    target = folder / ORIGINAL_MODEL
    if target.exists():
        return
    with making(target) as aside:
        for name in (WEIGHTS, MODEL):
            shutil.copyfile(checked(source, name), aside / name)
