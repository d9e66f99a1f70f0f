"""What is computed on a device, done on the second one: `python -m tests.devices.work FOLDER`."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from tests.conftest import small_network
from tests.training import shared_work

from expunge.attribution import ATTRIBUTORS
from expunge.attribution.placed import at_rest
from expunge.attribution.weights import WeightsConfig, saliencies
from expunge.config import from_mapping
from expunge.data.inputs.images import StreamedImages
from expunge.data.splits import subset
from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.runtime import Place, Runtime
from expunge.methods import METHODS, get_method
from expunge.runs import Store
from expunge.settings import Augmentation, Training
from expunge.sparsity import PRUNERS, get_pruner
from expunge.studies.grid import collect_cells, plan_grid
from expunge.studies.made import Makers
from expunge.studies.recipe import parse_experiment
from expunge.studies.theory import collect_theory, plan_theory
from expunge.theory.config import HessianConfig
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

FLOAT64 = "64-true"
SETTINGS = """
title = "Tiny"
scenarios = ["random:0.1"]
[data]
source = "digits"
train_limit = 60
test_limit = 30
validation_fraction = 0.1
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
batch_size = 20
lr = 0.01
momentum = 0.0
weight_decay = 0.0
schedule = "constant"
rewind_epoch = 1
[methods.retrain]
"""


def experiment(methods, pruners):
    return replace(
        parse_experiment(SETTINGS, "tiny"),
        pruners={pruner.name: {**pruner.example, "sparsity": 0.5} for pruner in pruners},
        methods={method.name: dict(method.example) for method in methods},
    )


def grid(runtime, folder):
    """Every method on a dense and on a sparse model, and what every pruner made."""
    methods = experiment(METHODS, [get_pruner("omp")])
    pruners = experiment([get_method("retrain")], PRUNERS)
    graph = Graph(Store(folder / "runs"))
    cells = [cell for each in (methods, pruners) for cell in plan_grid(graph, each)]
    run(graph, Engine(), runtime.place, runtime=runtime)
    return {
        f"{row['pruner']}, {row['method']}": row["metrics"]
        for row in collect_cells(graph.store, cells, Makers())
    }


def theory(runtime, folder):
    tiny = experiment([get_method("ft")], [get_pruner("omp")])
    hessian = HessianConfig(samples=10, tolerance=1e-2)
    graph = Graph(Store(folder / "runs"))
    points = plan_theory(graph, tiny, hessian)
    run(graph, Engine(), runtime.place, runtime=runtime)
    found = collect_theory(graph.store, tiny, hessian, points, "")
    return {point["pruner"]: point for point in found["points"]}


def streaming(runtime, folder):
    """Training and predicting where the images are not on the device."""
    samples = shared_work.samples(61)
    images = StreamedImages(samples.inputs.tensor.numpy())
    streamed = replace(samples, inputs=images)
    model = small_network()
    context = Context(
        fabric=runtime.evaluator, augmentation=Augmentation(crop_padding=2, flip=True)
    )
    fit(
        model,
        Stream(streamed, torch.arange(61)),
        task_loss,
        Training(epochs=2, batch_size=16, lr=0.02),
        context,
    )
    logits = predict(model, streamed, runtime.evaluator, batch_size=7)
    return {**model.state_dict(), "logits": logits}


def attribution(runtime, folder):
    """Our own attributors, dense and under a mask, and the saliency of weights."""
    samples = shared_work.samples(30)
    targets = subset(samples, torch.tensor([2, 9]))
    model = small_network()
    kept = torch.rand(model.conv2.weight.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    found = {}
    for name, mask in (("dense", None), ("sparse", {"conv2.weight": kept})):
        context = Context(fabric=runtime.evaluator, mask=mask)
        for attributor in ATTRIBUTORS:
            # Packages may tell weights by their addresses, which the second device lacks.
            if attributor.package:
                continue
            config = from_mapping(attributor.config, attributor.example, attributor.name)
            scores = attributor.run(model, samples, targets, config, context).scores
            found[f"{attributor.name}, {name}"] = scores
        with at_rest(model, context.device) as network:
            weights = saliencies(network, samples, WeightsConfig(), context)
        found[f"weights, {name}"] = weights["product"]["conv2.weight"].cpu()
    return found


PARTS = {
    "attribution": attribution,
    "training": lambda runtime, _: shared_work.training(runtime.fabric(FLOAT64)),
    "methods": lambda runtime, _: shared_work.methods(runtime.fabric(FLOAT64)),
    "pruners": lambda runtime, _: shared_work.pruners(runtime.fabric(FLOAT64)),
    "curvature": lambda runtime, _: shared_work.curvature_methods(runtime.fabric(FLOAT64)),
    "streaming": streaming,
    "grid": grid,
    "theory": theory,
}


def results(part, folder, device):
    """What a part finds on `device`."""
    return PARTS[part](Runtime(Place(device=device)), folder)


def main(part, folder):
    from tests.devices.second import on_second_device

    with on_second_device():
        torch.save(results(part, folder, "auto"), folder / "results.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
