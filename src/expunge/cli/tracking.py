"""`--track`: what was made, read from the store and given to trackers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from expunge.cli.output import tell
from expunge.errors import StoreError
from expunge.graph.course import Curve, read_course
from expunge.graph.kinds import KINDS
from expunge.runs import Store
from expunge.tracking import Run, Sink, open_sink


class Tracking:
    """Gives runs to the trackers that were asked for; a tracker that fails is left, and told of.

    Raises:
        ConfigError: a tracker is unknown, or its package is missing.
        StoreError: its place cannot be written to.
    """

    def __init__(self, asked: Sequence[str], store: Store) -> None:
        self._sinks: dict[str, Sink] = {each: open_sink(each) for each in asked}
        self._store = store
        self._seen: set[str] = set()
        self._without = 0

    def node(self, node_id: str, label: str, *, made: bool) -> None:
        """Track the course of a node's training, if it trained anything, now or before."""
        if not self._sinks or node_id in self._seen:
            return
        self._seen.add(node_id)
        try:
            curves = read_course(self._store.path(node_id))
        except StoreError as error:
            tell(f"note: {node_id} is not tracked: {error}")
            return
        if curves:
            about = {"node": node_id, "label": label}
            steps = _steps(curves)
            self._write(Run(id=node_id, name=label, group=node_id, about=about, steps=steps))
        elif not made and KINDS[node_id.rpartition("-")[0]].is_model:
            self._without += 1

    def cells(self, cells: Sequence[Mapping[str, Any]]) -> None:
        """Track the measures of a results document's cells."""
        for cell in cells:
            values = _measures(cell)
            if not values:
                continue
            names = ("scenario", "pruner", "sparsity", "method", "seed")
            about = {name: str(cell[name]) for name in names} | {"node": cell["run"]}
            place = f"{cell['method']}, {cell['scenario']}, {cell['pruner']} {cell['sparsity']:g}"
            self._write(
                Run(
                    id=f"{cell['run']}-measures-{_digest(about, values)}",
                    name=f"{place}, seed {cell['seed']}: measures",
                    group=cell["run"],
                    about=about,
                    steps=[],
                    final=values,
                )
            )

    def close(self) -> None:
        """Say how many models of the store have no course of training."""
        if self._without:
            tell(
                f"note: {self._without} model{'s' * (self._without > 1)} of the store not tracked, "
                "for lack of a course of training: not trained, or made by an older version"
            )
        self._without = 0

    def _write(self, run: Run) -> None:
        for asked, sink in list(self._sinks.items()):
            try:
                if not sink.has(run.id):
                    sink.write(run)
            except StoreError as error:
                del self._sinks[asked]
                tell(
                    f"note: --track {asked} stopped ({error}); the work goes on, and the same "
                    "command again tracks what is missing"
                )


def _steps(curves: Sequence[Curve]) -> list[dict[str, float]]:
    """By epoch: loss and learning rate of every curve, the second of a task with a number."""
    steps: list[dict[str, float]] = []
    seen: dict[str, int] = {}
    for curve in curves:
        seen[curve.task] = seen.get(curve.task, 0) + 1
        name = curve.task if seen[curve.task] == 1 else f"{curve.task} {seen[curve.task]}"
        for epoch, (loss, lr) in enumerate(zip(curve.loss, curve.lr, strict=True)):
            if epoch == len(steps):
                steps.append({})
            steps[epoch] |= {f"{name}/loss": loss, f"{name}/lr": lr}
    return steps


def _measures(cell: Mapping[str, Any]) -> dict[str, float]:
    """A cell's numbers, by the names that claims and exports have for them."""
    gaps = {
        (name if key == "avg" else f"{name}.{key}"): value
        for name in ("gap", "gap_dense")
        for key, value in (cell.get(name) or {}).items()
    }
    values = {**cell["metrics"], **gaps, "rte_s": cell["rte_s"]}
    return {f"measures/{name}": value for name, value in values.items() if value is not None}


def _digest(about: Mapping[str, str], values: Mapping[str, float]) -> str:
    text = json.dumps([dict(about), dict(values)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
