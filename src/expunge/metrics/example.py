"""Small evidence to try a metric on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from expunge.data.groups import GROUPS
from expunge.metrics.metric import GENERATED, PREDICTIONS, REAL, WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from expunge.metrics.arrays import LabelArray
    from expunge.metrics.evidence import Evidence, Predictions
    from expunge.metrics.klom import Margins
    from expunge.metrics.near_copies import Copies

_CLASSES = 3
_SAMPLES = {"train": 90, "test": 60, "validation": 30, "triggered": 60}
_IN_GROUPS, _GROUPS = 120, 3


def example_evidence(seed: int = 0, classes: tuple[int, ...] = ()) -> Evidence:
    """Everything a metric can need, for a made-up model with three classes and a small layer.

    One training sample in six is forgotten, or all of `classes` if given; one in ten was forgotten
    earlier and does not count. The target class of triggered samples is 0.
    """
    import numpy as np

    from expunge.metrics.evidence import Evidence

    rng = np.random.default_rng(seed)
    labels = {name: rng.permutation(count) % _CLASSES for name, count in _SAMPLES.items()}
    number = np.arange(_SAMPLES["train"])
    forget = np.isin(labels["train"], classes) if classes else number % 6 == 0
    gone = number % 10 == 1
    weights = {role: _weights(rng) for role in WEIGHTS}
    mask = {"layer.weight": weights["model"]["layer.weight"] != 0}
    return Evidence(
        predictions={
            name: _predictions(rng, labels[population])
            for name in PREDICTIONS
            if (population := name.removeprefix("base_")) in labels
        }
        | {name: _in_groups(seed, name) for name in PREDICTIONS if name.endswith(GROUPS)}
        | {
            GENERATED: _judged(seed, GENERATED, labels["test"]),
            REAL: _judged(seed, REAL, labels["train"]),
        },
        copies=_copies(seed),
        margins=_margins(seed),
        forget=forget & ~gone,
        retain=~forget & ~gone,
        classes=classes,
        ids=[f"sample {row}" for row in number],
        seed=seed,
        target=0,
        weights={role: partial(weights.__getitem__, role) for role in WEIGHTS},
        mask=mask,
        counted=tuple(mask),
        groups_are_marks=True,
    )


def _predictions(rng: np.random.Generator, labels: LabelArray) -> Predictions:
    """Logits that are right more often than not."""
    import numpy as np

    from expunge.metrics.evidence import Predictions

    logits = rng.normal(size=(len(labels), _CLASSES)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += 1.5
    return Predictions(logits, labels)


def _judged(seed: int, name: str, labels: LabelArray) -> Predictions:
    """Predictions with two features, which depend on the class."""
    from dataclasses import replace

    import numpy as np

    found = _predictions(np.random.default_rng([seed, len(name)]), labels)
    return replace(found, features=found.logits[:, :2].copy())


def _copies(seed: int) -> Copies:
    """Distances of generated and of held-out images."""
    import numpy as np

    from expunge.metrics.near_copies import Copies

    return Copies(*np.random.default_rng([seed, 0]).uniform(0, 1, (2, 200)).astype(np.float32))


def _margins(seed: int) -> dict[str, Margins]:
    """Margins of many models, of which the unlearned ones are surer of what they forgot."""
    import numpy as np

    from expunge.metrics.klom import POPULATIONS, Margins

    drawn = np.random.default_rng([seed, 1]).normal(size=(len(POPULATIONS), 2, 50, 8))
    drawn[0, 0] += 1.5
    return {name: Margins(*sides) for name, sides in zip(POPULATIONS, drawn, strict=True)}


def _in_groups(seed: int, name: str) -> Predictions:
    """Predictions on samples that take turns in classes and groups."""
    from dataclasses import replace

    import numpy as np

    number = np.arange(_IN_GROUPS)
    found = _predictions(np.random.default_rng([seed, len(name)]), number % _CLASSES)
    return replace(found, groups=number // _CLASSES % _GROUPS)


def _weights(rng: np.random.Generator) -> dict[str, Tensor]:
    """A layer with the first of its three rows at zero."""
    import torch

    weight = torch.from_numpy(rng.normal(size=(3, 4)).astype("float32"))
    weight[0] = 0
    return {
        "layer.weight": weight,
        "layer.bias": torch.from_numpy(rng.normal(size=3).astype("float32")),
    }
