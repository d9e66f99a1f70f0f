"""The kind `pictures`: a few test images, clean and with a trigger or mark, for people to see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.graph.kind import Inputs, Kind
from expunge.runs import checked, read_arrays, write_arrays

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.spec import DataSpec
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Samples

PICTURES = "pictures.safetensors"
COUNT = 6


def add_pictures(graph: Graph, data_id: str, *, marks: bool = False) -> str:
    """The first test images of up to `COUNT` classes other than the target, without and with it.

    With `marks`, each has the mark of a class far from its own in place of the trigger.
    """
    params = {"count": COUNT, **({"marks": True} if marks else {})}
    return graph.add("pictures", params, {"data": data_id}, label=f"pictures of {data_id}")


def load_pictures(folder: Path) -> dict[str, Any]:
    """`clean` and `triggered`, uint8 `(K, C, H, W)`, and `rows`, positions of test samples `(K,)`.

    Of images with marks, there is `marks` `(K,)`, too: the class whose mark each carries. There are
    none, K = 0, of data that are not images of uint8.
    """
    return dict(read_arrays(checked(folder, PICTURES)))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Choose the images, and keep both versions."""
    import torch

    from expunge.data.edits.apply import target_of
    from expunge.data.populations import population_of
    from expunge.graph.kinds.data import spec_at
    from expunge.runs import read_artefact

    spec = spec_at(runtime.where(read_artefact(inputs["data"]).node))
    dataset = runtime.dataset(inputs["data"])
    target, labels = target_of(spec.edits), dataset.test.labels
    first = [
        int((labels == label).nonzero()[0])
        for label in sorted(set(labels.tolist()))
        if label != target
    ]
    rows = torch.tensor(first[: int(node.params["count"])], dtype=torch.int64)
    if node.params.get("marks"):
        classes = dataset.test.num_classes
        # Half-way round, so that colours differ most.
        marks = (labels[rows] + (classes + 1) // 2) % classes
        images = {
            "clean": _images(dataset.test, rows),
            "triggered": _marked(dataset.test, rows, marks, spec),
        }
    else:
        shown = {"clean": dataset.test, "triggered": population_of(dataset, "triggered", spec)}
        images = {name: _images(samples, rows) for name, samples in shown.items()}
    if any(each is None for each in images.values()):
        rows = rows[:0]
        images = dict.fromkeys(images, torch.zeros((0, 1, 1, 1), dtype=torch.uint8))
    arrays = {name: each.numpy() for name, each in images.items() if each is not None}
    if node.params.get("marks"):
        arrays["marks"] = marks[: len(rows)].numpy()
    write_arrays(out / PICTURES, {**arrays, "rows": rows.numpy()})


def _marked(test: Samples, rows: Tensor, marks: Tensor, spec: DataSpec) -> Tensor | None:
    """The images at `rows`, each with the mark of the class in `marks`, or None."""
    import torch

    from expunge.data.edits.apply import marking
    from expunge.data.splits import subset

    found = marking(spec.edits)
    if found is None or _images(test, rows) is None:
        return None
    edit, config = found
    images = [
        _images(edit.show(subset(test, row[None]), config, int(mark)), torch.arange(1))
        for row, mark in zip(rows, marks, strict=True)
    ]
    return torch.cat([image for image in images if image is not None])


def _images(samples: Samples, rows: Tensor) -> Tensor | None:
    """The images at `rows`, or None if they are not of uint8."""
    import torch

    if samples.inputs.kind != "images" or samples.inputs.dtype != torch.uint8 or not len(rows):
        return None
    batches = samples.inputs.batches([rows])
    return torch.cat([batch.cpu() for batch in batches if isinstance(batch, torch.Tensor)])


KIND = Kind(name="pictures", version=1, run=run, minor=True, computes=False)
