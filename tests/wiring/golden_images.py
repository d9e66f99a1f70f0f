"""Golden numbers of the kinds around generated images."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.generate import load_images
from expunge.graph.kinds.judge import Judging, add_judged, add_judged_real
from expunge.graph.kinds.nearest import add_nearest, load_distances
from expunge.graph.kinds.predict import load_predictions
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.runtime import Place
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training

SPEC = DataSpec(source="digits", train_limit=100, test_limit=50)


@cache
def images():
    """Every kind, of a tiny diffusion model, made once."""
    store = Store(Path(tempfile.mkdtemp()) / "runs")
    graph = Graph(store)
    facts = resolve(SPEC, default_cache())
    data = add_data(graph, SPEC, facts)
    training = Training(epochs=1, batch_size=50, optimizer="adamw", lr=1e-3)
    network = NetworkSettings(name="unet", width=0.5)
    original = add_train(graph, data, Origin(network=network, training=training, seed=3))
    judging = Judging(
        per_class=2,
        steps=3,
        network=NetworkSettings(name="resnet8", width=0.25),
        training=Training(epochs=2, batch_size=25, lr=0.01, schedule="constant"),
    )
    judged = add_judged(graph, original, judging)
    real = add_judged_real(graph, data, judging)
    forget = add_forget(graph, original, "class:3", facts=facts)
    near = add_nearest(graph, original, forget, judging)
    run(graph, Engine(), Place(device="cpu"))
    made = load_images(store.path(graph.node(judged).parents["images"]))["images"]
    nodes = {"generated": judged, "real": real}
    found = {name: load_predictions(store.path(node)) for name, node in nodes.items()}
    return {
        "generate": {"mean": float(made.mean()), "spread": float(made.std())},
        "judge": {
            f"{name} {key}": float(np.linalg.norm(each[key].astype(np.float64)))
            for name, each in found.items()
            for key in ("logits", "features")
        },
        "nearest": {
            name: float(load_distances(store.path(near))[name].mean())
            for name in ("generated", "held_out")
        },
    }
