"""What a grid is: every cell of a small one, computed again from calls of the library.

`cells` says which model every number is of, which samples it was trained on, which seed drew what
and what it is compared with. The command has to find the same numbers, to the last bit.
"""

import copy
import json
import math
from dataclasses import asdict, dataclass

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tests.oracles import draws
from tests.processes import in_new_process

from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.statistics import input_statistics
from expunge.methods.fine_tuning import FineTuningConfig
from expunge.methods.gradient_ascent import GradientAscentConfig
from expunge.methods.l1_sparse import L1SparseConfig
from expunge.metrics.distance import weight_distance
from expunge.metrics.membership.audit import run_attacks
from expunge.metrics.membership.features import true_class_confidence
from expunge.metrics.membership.protocol import mia_efficacy
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.models.weights import read_tensors
from expunge.runs import read_document
from expunge.scenarios import at_random, by_class, make_split
from expunge.settings import Training, derive_seed
from expunge.sparsity.mask import prunable
from expunge.sparsity.ranking import keep_highest
from expunge.training.fit import Penalty, fit
from expunge.training.predict import predict
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context, Mask

RECIPE = """
title = "By hand"
scenarios = ["class:3", "random:0.1"]
seeds = [1, 4]
[data]
source = "digits"
train_limit = 200
test_limit = 100
validation_fraction = 0.1
seed = 2
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 5
batch_size = 24
lr = 0.15
momentum = 0.85
nesterov = true
weight_decay = 1e-3
schedule = "one_cycle"
warmup_epochs = 0.5
label_smoothing = 0.1
crop_padding = 1
rewind_epoch = 1
[pruners.omp]
sparsity = [0.6]
[methods.retrain]
[methods.ft]
epochs = 2
lr = 0.02
batch_size = 50
chosen_by = "a look at the validation samples"
[methods.ga]
epochs = 3
lr = 0.01
batch_size = 8
[methods.ga.random]
epochs = 2
lr = 2e-3
batch_size = 12
chosen_by = "another look"
[methods.l1_sparse]
epochs = 2
gamma = 3e-3
batch_size = 64
"""
DATA = DataSpec(source="digits", train_limit=200, test_limit=100, validation_fraction=0.1, seed=2)
TRAINING = Training(
    epochs=5,
    batch_size=24,  # of 200 and of the retained samples: the last batch is a smaller one
    lr=0.15,
    momentum=0.85,
    nesterov=True,
    weight_decay=1e-3,
    schedule="one_cycle",
    warmup_epochs=0.5,
    label_smoothing=0.1,
    crop_padding=1,
    rewind_epoch=1,
)
SEEDS = (1, 4)
SCENARIOS = ("class:3", "random:0.1")
SPARSITY = 0.6
FT = FineTuningConfig(epochs=2, lr=0.02, batch_size=50)
GA = {
    "class:3": GradientAscentConfig(epochs=3, lr=0.01, batch_size=8),
    "random:0.1": GradientAscentConfig(epochs=2, lr=2e-3, batch_size=12),
}
L1_SPARSE = L1SparseConfig(epochs=2, gamma=3e-3, batch_size=64)
CHOSEN_BY = {
    ("ft", "class:3"): "a look at the validation samples",
    ("ft", "random:0.1"): "a look at the validation samples",
    ("ga", "random:0.1"): "another look",
}
COMPARED = ("ua", "mia_efficacy", "ra", "ta")


@dataclass(frozen=True)
class Base:
    """A model that is unlearned from."""

    pruner: str
    sparsity: float
    model: torch.nn.Module
    mask: Mask | None


def cells():
    """Every cell, in the order of seeds, scenarios, bases and methods."""
    dataset = load(DATA)
    return [cell for seed in SEEDS for cell in cells_of_seed(dataset, seed)]


def cells_of_seed(dataset, seed):
    bases = bases_of_seed(dataset.train, seed)
    for scenario in SCENARIOS:
        split = split_of(dataset.train, scenario, seed)
        dense_reference = None
        for base in bases:
            models = {"original": base.model, **unlearned(base, split, scenario, seed)}
            measured = {
                method: measure(model, base, models["retrain"], dataset, split, seed)
                for method, model in models.items()
            }
            # The gap is to the network that was trained anew at the same sparsity.
            reference = measured["retrain"]["metrics"]
            if base.pruner == "none":
                dense_reference = reference
            for method, found in measured.items():
                yield {
                    "seed": seed,
                    "scenario": scenario,
                    "pruner": base.pruner,
                    "sparsity": base.sparsity,
                    "method": method,
                    "config": config_of(method, scenario),
                    "chosen_by": CHOSEN_BY.get((method, scenario)),
                    **found,
                    "gap": gap(found["metrics"], reference),
                    "gap_reason": None,
                    "gap_dense": gap(found["metrics"], dense_reference),
                }


def bases_of_seed(train, seed):
    """The dense original, and the sparse one that comes of it."""
    everything = torch.arange(len(train))
    rewind = {}

    def keep_rewind(epochs_done):
        if epochs_done == TRAINING.rewind_epoch:
            rewind.update(copy.deepcopy(original.state_dict()))

    original = fresh_network(train, seed)
    trained(original, train, everything, TRAINING, seed, after_epoch=keep_rewind)
    # One-shot magnitude pruning: over all convolutions, the smallest of the trained weights.
    magnitudes = {name: weight.detach().abs() for name, weight in prunable(original).items()}
    mask = keep_highest(magnitudes, SPARSITY)
    sparse = copy.deepcopy(original)
    sparse.load_state_dict(rewind)
    trained(sparse, train, everything, TRAINING, derive_seed(seed, "prune"), mask)
    return [Base("none", 0.0, original, None), Base("omp", SPARSITY, sparse, mask)]


def split_of(train, scenario, seed):
    """All of a class whatever the seed; of the random, each seed draws others."""
    if scenario == "class:3":
        return make_split(train, by_class(3))
    return make_split(train, at_random(0.1, seed=derive_seed(seed, "scenario")))


def unlearned(base, split, scenario, seed):
    """What every method makes of a base."""
    seed = derive_seed(seed, "unlearn")
    train, forget, retain = split.train, split.forget, split.retain
    ga = GA[scenario]

    def short(config):
        """The methods' own optimiser; augmentation is the training's."""
        return Training(
            epochs=config.epochs,
            batch_size=config.batch_size,
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            schedule="constant",
        )

    def copied():
        return copy.deepcopy(base.model)

    penalty = Penalty(gamma=L1_SPARSE.gamma, schedule="linear_decay", form="subgradient")
    return {
        # A new network, with another initialisation than the original's, under the base's mask.
        "retrain": trained(fresh_network(train, seed), train, retain, TRAINING, seed, base.mask),
        "ft": trained(copied(), train, retain, short(FT), seed, base.mask),
        "ga": trained(copied(), train, forget, short(ga), seed, base.mask, loss=climbed),
        "l1_sparse": trained(
            copied(), train, retain, short(L1_SPARSE), seed, base.mask, penalty=penalty
        ),
    }


def config_of(method, scenario):
    """A cell says all of a method's settings, the defaults too; unset ones are left out."""
    configs = {"ft": FT, "ga": GA[scenario], "l1_sparse": L1_SPARSE}
    return asdict(configs[method]) if method in configs else {}


def fresh_network(train, seed):
    mean, std = input_statistics(train)
    spec = ModelSpec(
        name="resnet8",
        width=0.25,
        num_classes=10,
        in_channels=1,
        image_size=(8, 8),
        mean=mean,
        std=std,
    )
    return build(spec, seed=derive_seed(seed, "initialisation"))


def climbed(step):
    """GA's loss."""
    return -step.losses()


def trained(model, train, index, recipe, seed, mask=None, loss=task_loss, **how):
    """`model`, trained in place; images are changed at random as in the original's training."""
    context = Context(
        fabric=Fabric(accelerator="cpu", devices=1),
        seed=seed,
        mask=mask,
        augmentation=TRAINING.augmentation,
    )
    fit(model, Stream(train, index), loss, recipe, context, **how)
    return model


def measure(model, base, retrained, dataset, split, seed):
    """Every number of one model; `base` is what it was unlearned from."""
    seed = derive_seed(seed, "attack")
    train, train_labels = logits_of(model, dataset.train)
    test, test_labels = logits_of(model, dataset.test)
    forget, retain = split.forget.numpy(), split.retain.numpy()
    forgotten = np.isin(test_labels, split.classes)
    confidence = true_class_confidence(train, train_labels)
    unseen = true_class_confidence(test[~forgotten], test_labels[~forgotten])
    untrained = np.zeros(len(test_labels), dtype=bool)
    in_forget = np.isin(np.arange(len(train_labels)), forget)
    retained = draws.by_id(confidence[retain], [dataset.train.ids[row] for row in retain])
    others = draws.places(unseen, np.flatnonzero(~forgotten))
    return {
        "metrics": {
            "ua": 100 - accuracy(train[forget], train_labels[forget]),
            "ra": accuracy(train[retain], train_labels[retain]),
            "ta": accuracy(test[~forgotten], test_labels[~forgotten]),
            "ta_forgotten": (
                accuracy(test[forgotten], test_labels[forgotten]) if split.classes else None
            ),
            "mia_efficacy": mean(draws.efficacy(retained, others, confidence[forget], seed)),
            "mia_privacy": mean(draws.privacy(retained, others, seed)),
            "mia_efficacy_one_draw": mia_efficacy(
                confidence[retain], unseen, confidence[forget], seed
            ),
            "drift": weight_distance(weights_of(model), weights_of(base.model), base.mask),
            "weight_distance": weight_distance(weights_of(model), weights_of(retrained)),
        },
        "sparsity_at": {
            text: share_of_small_weights(model, float(text))
            for text in ("0", "1e-06", "1e-05", "0.0001", "0.001", "0.01")
        },
        "attacks": run_attacks(
            np.concatenate((train, test)),
            np.concatenate((train_labels, test_labels)),
            member=np.concatenate((~in_forget, untrained)),
            forget=np.concatenate((in_forget, untrained)),
            seed=seed,
            forgotten_classes=split.classes,
        ),
        "confidence": {
            "before": histograms(base.model, dataset, forget, retain),
            "after": histograms(model, dataset, forget, retain),
        },
    }


def mean(values):
    return math.fsum(values) / len(values)


def logits_of(model, samples):
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    return predict(model, samples, fabric).numpy(), samples.labels.numpy()


def weights_of(model):
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def accuracy(logits, labels):
    return 100 * int((logits.argmax(1) == labels).sum()) / len(labels)


def share_of_small_weights(model, threshold):
    """Of all weights of convolutions."""
    weights = [w.abs() for w in weights_of(model).values() if w.ndim == 4]
    return sum(int((w <= threshold).sum()) for w in weights) / sum(w.numel() for w in weights)


def histograms(model, dataset, forget, retain):
    """Of the confidence in the true class, in shares of every set."""
    train = true_class_confidence(*logits_of(model, dataset.train))
    test = true_class_confidence(*logits_of(model, dataset.test))
    return {
        name: (100 * np.histogram(values, bins=20, range=(0, 1))[0] / len(values)).tolist()
        for name, values in (("forget", train[forget]), ("retain", train[retain]), ("test", test))
    }


def gap(metrics, reference):
    differences = {name: abs(metrics[name] - reference[name]) for name in COMPARED}
    return differences | {"avg": sum(differences.values()) / len(COMPARED)}


NAMES = ("seed", "scenario", "pruner", "sparsity", "method")


def named(cells):
    return {tuple(cell[name] for name in NAMES): cell for cell in cells}


@pytest.fixture(scope="module")
def expected(one_thread):
    return named(cells())


def test_limits_and_validation_are_taken_from_the_part_that_they_name():
    whole, parts = load(DataSpec(source="digits", seed=2)), load(DATA)
    train, validation, test = ({*each.ids} for each in (parts.train, parts.validation, parts.test))
    assert (len(train), len(test)) == (200, 100)
    assert len(validation) == pytest.approx(0.1 * len(whole.train), abs=5)
    assert train | validation <= {*whole.train.ids}
    assert test <= {*whole.test.ids}
    assert not train & validation


def test_every_cell_is_what_the_library_computes_by_hand(tmp_path, expected):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    words = ("--out", tmp_path / "out", "--workers", 1, "--device", "cpu", "--json")
    printed = json.loads(in_new_process("expunge", "bench", tmp_path / "recipe.toml", *words))
    assert printed == read_document(tmp_path / "out" / "results.json")
    found = named(printed["cells"])
    assert list(found) == list(expected)
    for where, cell in expected.items():
        for key, value in cell.items():
            assert found[where][key] == value, (where, key)
    # Every model has been timed for itself; nothing was unlearned from the originals.
    seconds = {cell["rte_s"] for cell in found.values() if cell["method"] != "original"}
    assert len(seconds) == 4 / 5 * len(found)
    assert min(seconds) > 0
    assert {cell["rte_s"] for cell in found.values() if cell["method"] == "original"} == {None}


TRAIN = [
    "train", "--data", "digits", "--train-limit", "200", "--test-limit", "100",
    "--validation-fraction", "0.1", "--split-seed", "2", "--model", "resnet8", "--width", "0.25",
    "--epochs", "5", "--batch_size", "24", "--lr", "0.15", "--momentum", "0.85",
    "--nesterov", "true", "--weight_decay", "1e-3", "--schedule", "one_cycle",
    "--warmup_epochs", "0.5", "--label_smoothing", "0.1", "--crop_padding", "1",
    "--rewind_epoch", "1",
]  # fmt: skip


def test_single_commands_make_a_cell_of_the_grid(answer, expected, tmp_path):
    original = answer(*TRAIN, "--seed", "4")["run"]
    unlearn = [
        "unlearn", original, "--forget", "random:0.1", "--prune", "omp", "--sparsity", "0.6",
        "--out", tmp_path / "gone.safetensors",
        "--method", "ga", "--epochs", "2", "--lr", "2e-3", "--batch_size", "12",
    ]  # fmt: skip
    gone = answer(*unlearn)
    retrain = ["--forget", "random:0.1", "--method", "retrain"]
    reference = answer("unlearn", gone["unlearned_from"], *retrain)["run"]
    cell = expected[4, "random:0.1", "omp", SPARSITY, "ga"]
    found = answer("evaluate", gone["run"], "--reference", reference)
    for key in ("metrics", "sparsity_at", "attacks", "confidence", "gap"):
        assert found[key] == cell[key], key
    # The weights that are written are those that are measured.
    dataset = load(DATA)
    base = bases_of_seed(dataset.train, 4)[1]
    split = split_of(dataset.train, "random:0.1", 4)
    model = unlearned(base, split, "random:0.1", 4)["ga"]
    written = read_tensors(tmp_path / "gone.safetensors")
    assert written.keys() == model.state_dict().keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in model.state_dict().items())
    # Without a reference there is nothing to compare with, and nothing else changes.
    alone = answer("evaluate", gone["run"])
    assert alone["gap"] is None
    assert alone["metrics"] == cell["metrics"] | {"weight_distance": None}
    # What the original is called upon to have forgotten, it is measured on.
    cell = expected[4, "class:3", "none", 0.0, "original"]
    found = answer("evaluate", original, "--forget", "class:3")
    assert found["metrics"] == cell["metrics"] | {"weight_distance": None}
    assert found["confidence"] == cell["confidence"]
    # Against the dense Retrain, the gap is the one that the grid calls dense.
    dense = answer("unlearn", original, *retrain)["run"]
    cell = expected[4, "random:0.1", "omp", SPARSITY, "ga"]
    assert answer("evaluate", gone["run"], "--reference", dense)["gap"] == cell["gap_dense"]
