"""The kind `judge`: what an independent classifier makes of images, generated or real."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.generate import add_generate, check_images, load_images
from expunge.graph.kinds.predict import PREDICTIONS
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.model_files import load_model
from expunge.graph.outcome import passed_on
from expunge.models.networks import task_of
from expunge.models.spec import NetworkSettings
from expunge.runs import write_arrays
from expunge.settings import Training, check_range
from expunge.tasks import check_task

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

SHORT = Training(epochs=30, batch_size=64, lr=0.05, schedule="cosine")


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How many images a model makes, and the classifier that judges them.

    Raises:
        ConfigError: a number is out of range, or the network does not classify.
    """

    per_class: int = 64
    """Images of every class."""
    steps: int = 25
    """Steps of DDIM."""
    seed: int = 1000
    """Of the classifier; one classifier judges all models of a recipe."""
    network: NetworkSettings = field(default_factory=lambda: NetworkSettings(name="resnet8"))
    """The classifier, trained on the same data as the models that it judges."""
    training: Training = SHORT
    """How."""

    def __post_init__(self) -> None:
        check_images(self.per_class, self.steps)
        check_range("seed", self.seed, 0, None)
        check_task("judging", {"classify"}, task_of(self.network.name, self.network.task))


def add_classifier(graph: Graph, data_id: str, judging: Judging) -> str:
    """The classifier that judges images like those of the data node `data_id`."""
    origin = Origin(network=judging.network, training=judging.training, seed=judging.seed)
    return add_train(graph, data_id, origin, data_name="the data, as the judge")


def add_judged(graph: Graph, model_id: str, judging: Judging) -> str:
    """The images that `model_id` makes, judged.

    Raises:
        ConfigError: `model_id` is not a model that generates.
    """
    images = add_generate(graph, model_id, judging.per_class, judging.steps)
    data = graph.data_of(model_id)
    parents = {"images": images, "classifier": add_classifier(graph, data, judging), "data": data}
    return _add(graph, parents, f"judge the images of {model_id}")


def add_judged_real(graph: Graph, data_id: str, judging: Judging) -> str:
    """The training images of the data node `data_id`, judged."""
    parents = {"classifier": add_classifier(graph, data_id, judging), "data": data_id}
    return _add(graph, parents, "judge the training images")


def _add(graph: Graph, parents: dict[str, str], label: str) -> str:
    threads = graph.node(parents["classifier"]).params["threads"]
    return graph.add("judge", {"threads": threads}, parents, label=label)


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Write `logits`, `features` and `labels`, which of generated images are the classes asked for.

    Real images also have `rows`, as predictions do. If the model has diverged, the reason stands in
    their place.
    """
    import numpy as np
    import torch

    from expunge.data.inputs.images import ResidentImages
    from expunge.features.extract import features_and_logits
    from expunge.types import Samples

    arrays: dict[str, Any] = {}
    if "images" in inputs:
        if passed_on(inputs["images"], out):
            return
        found = load_images(inputs["images"])
        samples = Samples(
            inputs=ResidentImages(torch.from_numpy(found["images"])),
            labels=torch.from_numpy(found["conditions"]),
            ids=tuple(map(str, range(len(found["images"])))),
            class_names=(),
            name="generated images",
            fingerprint="",
        )
    else:
        samples = runtime.dataset(inputs["data"]).train
        place = {name: row for row, name in enumerate(runtime.facts(inputs["data"]).train.ids)}
        arrays["rows"] = np.array([place[name] for name in samples.ids], dtype=np.int64)
    classifier, _, _ = load_model(inputs["classifier"])
    features, logits = features_and_logits(classifier, samples, runtime.evaluator, label="judge")
    arrays |= {"labels": samples.labels.numpy(), "logits": logits.numpy()}
    arrays["features"] = features.numpy()
    write_arrays(out / PREDICTIONS, arrays)


KIND = Kind(name="judge", version=1, run=run, minor=True)
