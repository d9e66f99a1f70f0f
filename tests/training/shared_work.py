"""Everything that processes share, done by one or by two: `python -m ... FOLDER` does it by two."""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from lightning_fabric import Fabric
from tests.conftest import small_network
from tests.kinds import clouds, save_bert, sentences
from torch import nn

from expunge.config import from_mapping
from expunge.data.arrays import as_samples
from expunge.data.statistics import input_statistics
from expunge.methods import METHODS
from expunge.methods.fisher_forgetting import FisherForgettingConfig, fisher_forgetting
from expunge.methods.influence import InfluenceConfig, influence_unlearning
from expunge.methods.salun import SalUnConfig, salun
from expunge.models.build import build
from expunge.models.spec import spec_for
from expunge.scenarios import by_class, make_split
from expunge.settings import Augmentation, Training
from expunge.sparsity import PRUNERS
from expunge.tasks import get_task
from expunge.training.fit import Penalty, fit
from expunge.training.predict import predict
from expunge.training.share import own_share, sum_over_processes
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.training.whole_batch import whole_batch
from expunge.types import Context


def everything(fabric):
    """All results, by name; every process gets all of them."""
    return {
        **normalisation(fabric),
        **training(fabric),
        **methods(fabric),
        **pruners(fabric),
        **curvature_methods(fabric),
        **predictions(fabric),
        **other_inputs(fabric),
        **diffusion(fabric),
    }


def normalisation(fabric):
    """What comes out of batch normalisation, its gradients and its running statistics."""
    found = {}
    for name, norm, shape, count in (
        ("1d", nn.BatchNorm1d(3), (3,), 7),
        ("2d", nn.BatchNorm2d(3), (3, 4, 5), 7),
        ("far from zero", nn.BatchNorm2d(3), (3, 4, 5), 7),
        ("one sample", nn.BatchNorm2d(3), (3, 4, 5), 1),
        ("cumulative", nn.BatchNorm2d(3, momentum=None), (3, 2, 2), 5),
        ("no weights", nn.BatchNorm2d(3, affine=False), (3, 2, 2), 5),
        ("no running statistics", nn.BatchNorm2d(3, track_running_stats=False), (3, 2, 2), 5),
        ("bfloat16", nn.BatchNorm2d(3), (3, 4, 5), 7),
    ):
        draws = torch.Generator().manual_seed(1)
        images = torch.randn((count, *shape), generator=draws, dtype=torch.float64)
        images = images + 1e5 if name == "far from zero" else images
        along = torch.randn(images.shape, generator=draws, dtype=torch.float64)
        norm.double()
        for p in norm.parameters():
            nn.init.normal_(p, generator=draws)
        own = own_share(count, fabric)
        counts = fabric.global_rank < count
        given = images[own].requires_grad_()
        some = along[own] * counts
        if name == "bfloat16":
            norm.float()
            given, some = given.detach().bfloat16().requires_grad_(), some.bfloat16()
        # Twice: running statistics are of more than one batch.
        for _ in range(2):
            with whole_batch(fabric, counts=counts):
                out = norm(given)
                given.grad = None
                norm.zero_grad()
                (out * some).sum().backward()
        assert out.dtype == given.dtype
        shares = {"out": out.detach() * counts, "gradient": given.grad}
        for what, share in shares.items():
            whole = torch.zeros(images.shape, dtype=share.dtype)
            whole[own] = share
            found[f"normalised {name}, {what}"] = sum_over_processes(whole, fabric)
        for what, p in norm.named_parameters():
            found[f"normalised {name}, {what}"] = sum_over_processes(p.grad, fabric)
        for what, buffer in norm.named_buffers():
            found[f"normalised {name}, {what}"] = buffer
    return found


def training(fabric):
    """Weights and running statistics after a few steps in float64, the last batch an odd one."""
    index = torch.arange(6, 61)
    crop_and_flip = Augmentation(crop_padding=2, flip=True)
    recipe = Training(epochs=2, batch_size=16, lr=0.02, schedule="cosine", label_smoothing=0.1)
    found = {}
    for name, penalty, masked, changes, some in (
        ("plain", None, False, Augmentation(), index),
        ("augmented", None, False, crop_and_flip, index),
        ("subgradient", Penalty(gamma=0.01, form="subgradient"), True, crop_and_flip, index),
        ("proximal", Penalty(gamma=0.01, form="proximal"), True, crop_and_flip, index),
        ("one sample", None, False, crop_and_flip, index[:1]),
    ):
        model = small_network().double()
        mask = some_mask(model) if masked else None
        context = Context(fabric=fabric, mask=mask, augmentation=changes)
        fit(model, Stream(samples(61), some), task_loss, recipe, context, penalty=penalty)
        found |= {f"trained {name}, {k}": v for k, v in model.state_dict().items()}
    return found


def methods(fabric):
    """What every method makes of a network, dense and under a mask."""
    split = make_split(samples(61), by_class(1))
    changes = Augmentation(crop_padding=1, flip=True)
    recipe = Training(epochs=2, batch_size=16, lr=0.02, schedule="constant", label_smoothing=0.1)
    context = Context(fabric=fabric, rebuild=double, training=recipe, augmentation=changes)
    found = {}
    for method in METHODS:
        config = from_mapping(method.config, method.example, method.name)
        for state in ("dense", "sparse"):
            model = double()
            mask = some_mask(model) if state == "sparse" else None
            for name, kept in (mask or {}).items():
                model.get_parameter(name).data.mul_(kept)
            unlearned = method.run(model, split, config, replace(context, mask=mask))
            found |= {f"{method.name} {state}, {k}": v for k, v in unlearned.state_dict().items()}
    return found


def pruners(fabric):
    """The mask of every pruner."""
    context = Context(fabric=fabric)
    found = {}
    for pruner in PRUNERS:
        settings = {**pruner.example, "sparsity": 0.5}
        config = from_mapping(pruner.config, settings, pruner.name)
        mask = pruner.run(double(), samples(61), config, context)
        found |= {f"{pruner.name}, {name}": kept for name, kept in mask.items()}
    return found


def curvature_methods(fabric):
    """The change of the weights: the whole of what is computed, and not a small part of a sum."""
    split = make_split(samples(61), by_class(1))
    solvers = InfluenceConfig(samples=30, batch_size=7, damping=0.05)
    found = {}
    for name, method, config in (
        *(
            (f"ff {kind} in {size}", fisher_forgetting, FisherForgettingConfig(**each))
            for kind in ("per_sample", "sampled", "batch_mean")
            for size in (7, 64)  # 64: one batch, of which the second process has none
            for each in [{"fisher": kind, "batch_size": size, "alpha": 1e-4, "draws": 3}]
        ),
        *(
            (f"iu {solver}", influence_unlearning, replace(solvers, solver=solver))
            for solver in ("woodbury", "woodfisher", "cg", "rank1")
        ),
        ("iu cg in 64", influence_unlearning, replace(solvers, solver="cg", batch_size=64)),
        (
            "iu cg by fisher",
            influence_unlearning,
            replace(solvers, solver="cg", curvature="fisher"),
        ),
    ):
        model = small_network().double()
        mask = some_mask(model)
        for kept_name, kept in mask.items():
            model.get_parameter(kept_name).data.mul_(kept)
        found |= {
            f"unlearned {name}, {k}": after.detach() - model.get_parameter(k).detach()
            for k, after in method(
                model, split, config, Context(fabric=fabric, mask=mask)
            ).named_parameters()
        }
    return found


def predictions(fabric):
    fabric = launched(fabric.world_size, "32-true")
    return {
        f"predicted {count}": predict(small_network(), samples(count), fabric, batch_size=7)
        for count in (61, 2, 1)
    }


def double(seed=0):
    """A network in float64."""
    return small_network(seed).double()


def other_inputs(fabric):
    """Weights after training and after unlearning on vectors and on tokens."""
    found = {}
    with TemporaryDirectory() as folder:
        bert = save_bert(folder, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
        for name, data in (("mlp", clouds(31)), (bert, sentences(25))):
            statistics = input_statistics(data)
            width = 1 / 16 if name == "mlp" else 1.0
            spec = spec_for(name, data.inputs, 3, width=width, statistics=statistics)
            model = build(spec, 0).double()
            context = Context(fabric=fabric)
            recipe = Training(epochs=2, batch_size=8, lr=0.02, schedule="constant")
            fit(model, Stream(data, torch.arange(len(data))), task_loss, recipe, context)
            split = make_split(data, by_class(1))
            kind = data.inputs.kind
            found |= {f"{kind} trained {n}": t.clone() for n, t in model.state_dict().items()}
            config = InfluenceConfig(batch_size=5)
            unlearned = influence_unlearning(model, split, config, context)
            found |= {f"{kind} iu {n}": t.clone() for n, t in unlearned.named_parameters()}
    return {name: tensor.detach() for name, tensor in found.items()}


def diffusion(fabric):
    """A model that generates: all processes draw the same noise, and each takes its share."""
    data, task = samples(61), get_task("generate")
    spec = spec_for("unet", data.inputs, 3, width=0.5)
    context = Context(fabric=fabric, task=task)
    recipe = Training(epochs=1, batch_size=16, lr=0.02, schedule="constant")
    model = build(spec, 0).double()
    fit(model, Stream(data, torch.arange(61)), task_loss, recipe, context)
    found = {f"denoiser, {name}": tensor.clone() for name, tensor in model.named_parameters()}
    config = SalUnConfig(epochs=1, batch_size=16)
    unlearned = salun(model, make_split(data, by_class(1)), config, context)
    found |= {f"denoiser after salun, {name}": p for name, p in unlearned.named_parameters()}
    return {name: tensor.detach() for name, tensor in found.items()}


def samples(count):
    """Noise of 3 classes, 1x8x8."""
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)
    return as_samples((images, np.arange(count) % 3), class_names="abc", name="noise")


def some_mask(model):
    generator = torch.Generator().manual_seed(5)
    return {
        f"{name}.weight": torch.rand(
            model.get_parameter(f"{name}.weight").shape, generator=generator
        )
        < 0.6
        for name in ("conv", "conv2")
    }


def launched(devices, precision="64-true"):
    fabric = Fabric(
        accelerator="cpu",
        devices=devices,
        strategy="auto" if devices == 1 else "ddp",
        precision=precision,
    )
    fabric.launch()
    return fabric


if __name__ == "__main__":
    fabric = launched(2)
    torch.save(everything(fabric), Path(sys.argv[1]) / f"{fabric.global_rank}.pt")
