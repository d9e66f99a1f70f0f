"""Some images that each model of a grid makes of every class, for the report to show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from expunge.errors import DivergedError
from expunge.graph.kinds.forget import load_forget
from expunge.graph.kinds.generate import load_images
from expunge.graph.runtime import read_facts
from expunge.runs import Store
from expunge.studies.pictures import png

if TYPE_CHECKING:
    from expunge.studies.grid import Cell

SHOWN = 3
"""Images of each class."""
MOST_CLASSES = 10
"""Classes that are shown: the forgotten ones, then the first."""


def images_of(store: Store, cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """For each scenario, images of the models of its first seed, as PNG in base64.

    Every model starts from the same noise, so that images in one place can be compared. Empty
    without models that generate.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        node = _generated(store, cell)
        if node is None:
            continue
        shown = found.setdefault(cell.scenario, _heading(store, cell))
        if cell.seed == shown["seed"]:
            shown["models"].append(_made(store, cell, node, shown["numbers"]))
    return list(found.values())


def _generated(store: Store, cell: Cell) -> str | None:
    """The node of the images that a cell's model makes; None if no metric looks at them."""
    for measure in cell.measures.values():
        parents = store.node(measure).parents
        for parent in ("generated", "copies"):
            if parent in parents:
                return store.node(parents[parent]).parents["images"]
    return None


def _heading(store: Store, cell: Cell) -> dict[str, Any]:
    """The classes of a scenario that are shown; no images yet."""
    node = store.node(next(iter(cell.measures.values())))
    names = read_facts(store.path(node.parents["data"])).class_names
    forgotten = load_forget(store.path(node.parents["forget"]))["classes"]
    chosen = [*forgotten, *(each for each in range(len(names)) if each not in forgotten)]
    numbers = sorted(chosen[:MOST_CLASSES])
    return {
        "scenario": cell.scenario,
        "seed": cell.seed,
        "numbers": numbers,
        "classes": [names[each] for each in numbers],
        "forgotten": [each in forgotten for each in numbers],
        "models": [],
    }


def _made(store: Store, cell: Cell, node: str, numbers: list[int]) -> dict[str, Any]:
    """The images of a cell's model, class by class; None where it has diverged."""
    about = {"pruner": cell.base.pruner, "sparsity": cell.base.sparsity, "method": cell.method}
    try:
        found = load_images(store.path(node))
    except DivergedError:
        return {**about, "images": None}
    conditions = found["conditions"]
    return {
        **about,
        "images": [
            [png(image) for image in found["images"][conditions == number][:SHOWN]]
            for number in numbers
        ],
    }
