"""Stand-ins for the data sets of the hub: their schemas with a few small images, for recipes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from PIL import Image

from expunge.methods import get_method
from expunge.scenarios.parse import SCENARIO_KINDS
from expunge.studies.recipe import Experiment

CLASSES = 10
"""Classes that have images, the first ones of each data set."""


@dataclass(frozen=True)
class Schema:
    """The columns and splits of a data set of the hub."""

    image: str
    labels: Mapping[str, int]
    """Columns of classes, and how many there are."""
    size: tuple[int, int]
    """Height and width."""
    splits: tuple[str, ...] = ("train", "test")
    config: str | None = None
    unlabelled: str | None = None
    """The split whose labels are -1."""


SCHEMAS = {
    "uoft-cs/cifar10": Schema("img", {"label": 10}, (32, 32)),
    "uoft-cs/cifar100": Schema("img", {"fine_label": 100, "coarse_label": 20}, (32, 32)),
    "ufldl-stanford/svhn": Schema(
        "image", {"label": 10}, (32, 32), ("train", "test", "extra"), config="cropped_digits"
    ),
    "ILSVRC/imagenet-1k": Schema(
        "image", {"label": 1000}, (60, 80), ("train", "validation", "test"), unlabelled="test"
    ),
    "zh-plus/tiny-imagenet": Schema("image", {"label": 200}, (64, 64), ("train", "valid")),
}
LOCAL = {
    "../shared/data/cifar10": "uoft-cs/cifar10",
    "../shared/data/tiny-imagenet-60": "zh-plus/tiny-imagenet",
}
"""Folders of recipes that are no data set of the hub, and the one whose schema theirs is."""
QUICK = ("ua", "accuracy_generated")
WIDTH = 0.25
"""With 8 channels or fewer PyTorch 2's own convolutions were seen to end the process."""
EACH = {"train": 6}
"""Images of a class; one where a split is not named."""


def load_dataset(name: str, config: str | None = None) -> Any:
    """What the library's function of this name gives for a data set of the hub, in few images."""
    import datasets

    schema = SCHEMAS[name]
    assert config == schema.config
    features = datasets.Features(
        {schema.image: datasets.Image()}
        | {
            column: datasets.ClassLabel(names=[f"{column} {number}" for number in range(count)])
            for column, count in schema.labels.items()
        }
    )
    found = {}
    for place, split in enumerate(schema.splits):
        rng = np.random.default_rng(place)
        labels = np.repeat(np.arange(CLASSES), EACH.get(split, 1))
        # Each class has a brightness of its own, so that a network has something to learn.
        images = rng.integers(0, 60, (len(labels), *schema.size, 3), dtype=np.uint8)
        images += (19 * labels).astype(np.uint8)[:, None, None, None]
        told = -np.ones_like(labels) if split == schema.unlabelled else labels
        content = {schema.image: [Image.fromarray(each) for each in images]}
        content |= {column: told.tolist() for column in schema.labels}
        found[split] = datasets.Dataset.from_dict(content, features=features)
    return datasets.DatasetDict(found)


def from_stand_in(experiment: Experiment) -> Experiment:
    """The experiment on the stand-in of its data, asking no more than a few images can give."""
    source = LOCAL.get(experiment.data.source, experiment.data.source)
    data = replace(experiment.data, source=source, train_limit=None, test_limit=None)
    if data.validation_fraction:
        data = replace(data, validation_fraction=0.1)
    if source == "zh-plus/tiny-imagenet":
        data = replace(data, test_split="valid")
    return replace(experiment, data=data)


def cut(experiment: Experiment) -> Experiment:
    """The experiment for one seed, scenario and pass, in a narrow network, dense and once sparse.

    The sparse model is unlearned from by one method. Large images are made smaller, and of the
    metrics there are the quick ones alone.
    """
    training = {"epochs": 1, "warmup_epochs": 0.0, "rewind_epoch": 0, "batch_size": 64}
    pruners = {
        name: {**table, "sparsity": experiment.pruner_configs(name)[0].sparsity}
        for name, table in [*experiment.pruners.items()][:1]
    }
    by = [*experiment.methods][-1]
    judging = experiment.judging
    data = replace(experiment.data, train_limit=20)
    size = 64 if experiment.network.stem == "imagenet" else 32
    if min(SCHEMAS[data.source].size) > 32:
        data = replace(data, image_size=size)
    if judging is not None:
        judging = replace(
            judging,
            per_class=2,
            steps=2,
            network=replace(judging.network, width=WIDTH, threads=1),
            training=replace(judging.training, **training),
        )
    return replace(
        experiment,
        data=data,
        seeds=experiment.seeds[:1],
        scenarios=experiment.scenarios[:1],
        network=replace(experiment.network, width=WIDTH, threads=1),
        training=replace(experiment.training, lr=min(experiment.training.lr, 0.01), **training),
        methods={
            label: _cut_method(experiment.method_of(label), table)
            | ({} if label == by else {"sparsities": [0.0]})
            for label, table in experiment.methods.items()
        },
        pruners=pruners,
        metrics=tuple(each for each in experiment.metrics if each in QUICK),
        retrain_again=False,
        judging=judging,
        claims=(),
    )


def _cut_method(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """A method's table with a pass and few samples, for each kind of scenario too."""
    small = {"epochs": 1, "samples": 2, "batch_size": 64, "fisher": "sampled"}
    known = {field.name for field in fields(get_method(name).config)}
    small = {setting: value for setting, value in small.items() if setting in known}
    cut = {key: value for key, value in table.items() if key != "sparsities"}
    for kind in SCENARIO_KINDS:
        if kind in cut:
            cut[kind] = {**cut[kind], **{key: small[key] for key in small if key in cut[kind]}}
    return {**cut, **small}
