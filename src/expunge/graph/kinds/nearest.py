"""The kind `nearest`: how near generated and held-out images are to the nearest forgotten one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.forget import load_forget
from expunge.graph.kinds.generate import add_generate, load_images
from expunge.graph.outcome import check_diverged, divergence, write_divergence
from expunge.runs import checked, read_arrays, write_arrays

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.kinds.judge import Judging
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

DISTANCES = "distances.safetensors"


def add_nearest(graph: Graph, model_id: str, forget_id: str, judging: Judging) -> str:
    """Distances of the images that `model_id` makes to those of the forget set.

    Raises:
        ConfigError: `model_id` is not a model that generates.
    """
    images = add_generate(graph, model_id, judging.per_class, judging.steps)
    parents = {"images": images, "data": graph.data_of(model_id), "forget": forget_id}
    return graph.add(
        "nearest",
        {"threads": graph.node(images).params["threads"]},
        parents,
        label=f"compare the images of {model_id} with those forgotten",
    )


def load_distances(folder: Path) -> dict[str, Any]:
    """`generated` `(N,)`, `held_out` `(M,)`, and `missing`, how many of the forget set are gone.

    Raises:
        DivergedError: the folder holds the reason why there are none.
    """
    check_diverged(folder)
    return dict(read_arrays(checked(folder, DISTANCES)))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Compare all images with the forgotten ones; held-out images are those for testing."""
    import numpy as np
    import torch

    from expunge.metrics.near_copies import nearest

    reason = divergence(inputs["images"])
    if reason is not None:
        write_divergence(out, reason)
        return
    ids = set(load_forget(inputs["forget"])["ids"])
    dataset = runtime.dataset(inputs["data"], tuple(ids))
    rows = [row for row, name in enumerate(dataset.train.ids) if name in ids]

    def pixels(index: list[int], samples: Any) -> Any:
        batch = next(samples.inputs.batches([torch.tensor(index)])).cpu()
        return (batch / 255 if batch.dtype == torch.uint8 else batch).numpy()

    arrays = {
        "generated": np.zeros(0, np.float32),
        "held_out": np.zeros(0, np.float32),
        "missing": np.array(len(ids) - len(rows)),
    }
    if len(rows) == len(ids):
        forgotten = pixels(rows, dataset.train)
        made = load_images(inputs["images"])["images"].astype(np.float32) / 255
        held_out = pixels(list(range(len(dataset.test))), dataset.test)
        arrays["generated"], arrays["held_out"] = (
            nearest(each, forgotten) for each in (made, held_out)
        )
    write_arrays(out / DISTANCES, arrays)


KIND = Kind(name="nearest", version=1, run=run, minor=True)
