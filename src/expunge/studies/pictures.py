"""Test images without and with a trigger or mark, and what each model of a grid says of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from expunge.errors import DivergedError
from expunge.graph.kinds.pictures import load_pictures
from expunge.graph.kinds.predict import load_predictions
from expunge.graph.runtime import read_facts
from expunge.metrics import GROUP_METRICS
from expunge.runs import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from expunge.studies.grid import Cell

_LARGEST = 96
"""Pixels of the longer side of a picture in a document."""


def pictures_of(store: Store, cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """For each scenario the images of its first seed, as PNG, and what its models say of them.

    Empty without cells that have pictures.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        if cell.pictures is None:
            continue
        shown = found.setdefault(cell.scenario, _shown(store, cell, cell.pictures))
        if cell.seed == shown["seed"] and shown["samples"]:
            shown["says"].append(_says(store, cell, cell.pictures))
    return [shown for shown in found.values() if shown["samples"]]


def _shown(store: Store, cell: Cell, node_id: str) -> dict[str, Any]:
    """The images of a scenario; nothing said of them yet."""
    arrays = load_pictures(store.path(node_id))
    test = read_facts(store.path(store.node(node_id).parents["data"])).parts["test"]
    names = test.class_names
    samples = [
        {"label": names[test.labels[row]], "clean": png(clean), "triggered": png(triggered)}
        for row, clean, triggered in zip(
            arrays["rows"].tolist(), arrays["clean"], arrays["triggered"], strict=True
        )
    ]
    shown = {"scenario": cell.scenario, "seed": cell.seed, "samples": samples, "says": []}
    return shown | ({"with": "another class’s mark"} if "marks" in arrays else {})


def _says(store: Store, cell: Cell, node_id: str) -> dict[str, Any]:
    """The classes that a cell's model gives the images; None where it has diverged."""
    arrays = load_pictures(store.path(node_id))
    rows = arrays["rows"].tolist()
    names = read_facts(store.path(store.node(node_id).parents["data"])).class_names
    said: dict[str, list[str] | None] = {}
    changed = ("asr", "triggered")
    if "marks" in arrays:
        changed = (next(name for name in GROUP_METRICS if name in cell.measures), "groups")
    for what, (metric, need) in {"clean": ("ta", "test"), "triggered": changed}.items():
        folder = store.path(store.node(cell.measures[metric]).parents[need])
        try:
            predicted = load_predictions(folder)
        except DivergedError:
            said[what] = None
            continue
        places = predicted["rows"].tolist()
        wanted = rows
        if need == "groups":
            places = list(zip(places, predicted["groups"].tolist(), strict=True))
            wanted = list(zip(rows, arrays["marks"].tolist(), strict=True))
        place = {each: index for index, each in enumerate(places)}
        called = predicted["logits"].argmax(axis=1)
        said[what] = [names[int(called[place[each]])] for each in wanted]
    return {
        "pruner": cell.base.pruner,
        "sparsity": cell.base.sparsity,
        "method": cell.method,
        **said,
    }


def png(image: npt.NDArray[np.uint8]) -> str:
    """An image `(C, H, W)` of one or three channels as PNG in base64."""
    from PIL import Image

    picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
    picture.thumbnail((_LARGEST, _LARGEST))
    file = io.BytesIO()
    picture.save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()
