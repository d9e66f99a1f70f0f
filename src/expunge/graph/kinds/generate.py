"""The kind `generate`: images that a diffusion model makes of every class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import DivergedError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.model_files import load_model
from expunge.graph.outcome import check_diverged, divergence, write_divergence
from expunge.runs import checked, read_arrays, read_artefact, write_arrays
from expunge.settings import check_range, derive_seed
from expunge.tasks import check_task
from expunge.tasks.generate import Generate

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

IMAGES = "images.safetensors"


def add_generate(graph: Graph, model_id: str, per_class: int = 64, steps: int = 25) -> str:
    """`per_class` images of every class by `model_id`, by DDIM in `steps` steps.

    All models that descend from one original start from the same noise.

    Raises:
        ConfigError: `model_id` is not a model that generates, or a number is out of range.
    """
    graph.model(model_id)
    check_task("generating images", {"generate"}, graph.task_of(model_id))
    check_images(per_class, steps)
    params = {
        "per_class": per_class,
        "steps": steps,
        "seed": derive_seed(graph.seed_of(model_id), "images"),
        "threads": graph.node(graph.origin_of(model_id)).params["threads"],
    }
    parents = {"model": model_id, "data": graph.data_of(model_id)}
    return graph.add("generate", params, parents, label=f"generate images with {model_id}")


def check_images(per_class: int, steps: int) -> None:
    """Refuse numbers of images and of steps that no model can be sampled with.

    Raises:
        ConfigError: `per_class` is less than 1, or `steps` is not in 1 to the task's.
    """
    check_range("per_class", per_class, 1, None)
    check_range("steps", steps, 1, Generate().steps)


def load_images(folder: Path) -> dict[str, Any]:
    """`images`, uint8 `(N, C, H, W)`, and `conditions`, int64 `(N,)`, of the images in a folder.

    Raises:
        DivergedError: the folder holds the reason why there are none.
    """
    check_diverged(folder)
    return dict(read_arrays(checked(folder, IMAGES)))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Make the images, class by class; if the model has diverged, the reason is in their place.

    Raises:
        DivergedError: an original model makes images that are not finite.
    """
    import torch

    from expunge.training.sample import sample_images

    reason = divergence(inputs["model"])
    if reason is not None:
        write_divergence(out, reason)
        return
    model, spec, _ = load_model(inputs["model"])
    conditions = torch.arange(spec.num_classes).repeat_interleave(node.params["per_class"])
    try:
        images = sample_images(
            model,
            conditions,
            runtime.facts(inputs["data"]).shape,
            torch.Generator().manual_seed(node.params["seed"]),
            runtime.evaluator,
            task=Generate(),
            steps=node.params["steps"],
            progress=runtime.progress,
        )
    except DivergedError as error:
        made = read_artefact(inputs["model"]).node
        why = f"diverged: {made.id} ({error}: choose milder settings)"
        if "origin" not in made.parents:
            raise DivergedError(why) from None
        write_divergence(out, why)
        return
    write_arrays(out / IMAGES, {"images": images.numpy(), "conditions": conditions.numpy()})


KIND = Kind(name="generate", version=1, run=run, minor=True)
