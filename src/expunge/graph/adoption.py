"""Measure a model that comes from elsewhere, and refuse one that does not know its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import CheckpointError
from expunge.models.spec import IMAGENET

if TYPE_CHECKING:
    import numpy as np
    from lightning_fabric import Fabric
    from torch import nn

    from expunge.data.statistics import Statistics
    from expunge.types import Dataset, Samples

LEVEL = 0.001
"""How unlikely an accuracy must be by chance alone before anything is concluded from it."""
TRIED = 500
"""At most so many samples are used to look for the reason of a low accuracy."""


@dataclass(frozen=True)
class Measured:
    """How many samples of one part of the data a model classifies correctly."""

    part: str
    """`train` or `test`."""
    correct: int
    count: int
    most_frequent: float
    """The share of the most frequent class, 0 to 1: what a constant answer gets right."""

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100 * self.correct / self.count

    def __str__(self) -> str:
        """For people: `62.0 % of 360 test samples`."""
        name = {"train": "training"}.get(self.part, self.part)
        return f"{self.accuracy:.1f} % of {self.count} {name} samples"

    def to_json(self) -> dict[str, Any]:
        """As plain values; accuracy in percent."""
        return {
            "accuracy": self.accuracy,
            "correct": self.correct,
            "count": self.count,
            "most_frequent": self.most_frequent,
        }

    @classmethod
    def from_json(cls, part: str, value: Mapping[str, Any]) -> Measured:
        """What `to_json` wrote."""
        return cls(part, value["correct"], value["count"], value["most_frequent"])


def measured(model: nn.Module, dataset: Dataset, fabric: Fabric) -> dict[str, Measured]:
    """The accuracy of a model on each part of its data, the test part first, without augmentation.

    Empty parts are left out.
    """
    import numpy as np

    found = {}
    for part in ("test", "train"):
        samples: Samples = getattr(dataset, part)
        if len(samples):
            labels = samples.labels.numpy()
            right = _answers(model, samples, fabric) == labels
            most = float(np.bincount(labels).max() / len(labels))
            found[part] = Measured(part, int(right.sum()), len(labels), most)
    return found


def check_measured(found: Mapping[str, Measured], expected: float | None) -> None:
    """Refuse a model whose accuracy is below the `expected` percentage, or no better than chance.

    The test part is judged if there is one. Expected accuracies are compared by a one-sided
    binomial test at `LEVEL`. Without one, some part must be classified better than a constant
    answer would by the same test, unless it has so few samples that nothing could.

    Raises:
        CheckpointError: the accuracy is too low.
    """
    if (fault := _fault(found, expected)) is not None:
        raise CheckpointError(f"{fault}. {_REASONS}. {_go_on(found)}")


def check_adopted(
    found: Mapping[str, Measured],
    expected: float | None,
    model: nn.Module,
    dataset: Dataset,
    statistics: Statistics | None,
    fabric: Fabric,
) -> None:
    """Like `check_measured`, and look for what would make the model better.

    A model that some usual normalisation, or another order of the classes, makes better is refused
    too, unless it is as good as `expected`: what stands outside the network is missing. It is
    better if a one-sided McNemar test on up to `TRIED` samples says so at `LEVEL`. `statistics` are
    the mean and standard deviation of the training inputs.

    Raises:
        CheckpointError: the accuracy is too low, or lower than it could be.
    """
    fault = _fault(found, expected)
    if fault is None and expected is not None:
        return
    better = _better(model, dataset, statistics, fabric)
    if better is not None:
        fault = fault or f"the network with these weights classifies only {_judged(found)} right"
        raise CheckpointError(f"{fault}: {better}. {_go_on(found)}")
    check_measured(found, expected)


_REASONS = (
    "Likely reasons: the normalisation is not in the network (give --mean and --std, or "
    "--normalise imagenet or data), its classes are in another order than those of the data, or "
    "its inputs were prepared in another way (size, crop, colours, tokens)"
)


def _go_on(found: Mapping[str, Measured]) -> str:
    return (
        "Nothing was adopted; if this accuracy is right, say so with "
        f"--expect-accuracy {_judged(found).accuracy:.4g}"
    )


def _judged(found: Mapping[str, Measured]) -> Measured:
    return next(iter(found.values()))


def _fault(found: Mapping[str, Measured], expected: float | None) -> str | None:
    """What is wrong with an accuracy, or None."""
    from scipy.stats import binom

    judged = _judged(found)
    if expected is not None:
        least = int(binom.ppf(LEVEL, judged.count, expected / 100))
        if judged.correct >= least:
            return None
        return (
            f"the network with these weights classifies {judged} right, and {expected:g} % were "
            f"expected (chance allowed for, at least {100 * least / judged.count:.1f} %)"
        )
    telling = [each for each in found.values() if each.most_frequent**each.count <= LEVEL]
    if not telling or any(
        binom.sf(each.correct - 1, each.count, each.most_frequent) <= LEVEL for each in telling
    ):
        return None
    return (
        f"the network with these weights classifies {judged} right, no better than always "
        f"answering the most frequent class ({100 * judged.most_frequent:.1f} %)"
    )


def _better(
    model: nn.Module, dataset: Dataset, statistics: Statistics | None, fabric: Fabric
) -> str | None:
    """What would make the model significantly better, and how good, or None."""
    import numpy as np
    import torch
    from torch import nn

    from expunge.data.splits import subset
    from expunge.models.normalise import Normalise

    samples = dataset.test if len(dataset.test) else dataset.train
    rows = np.unique(np.linspace(0, len(samples) - 1, min(TRIED, len(samples))).astype(int))
    samples = subset(samples, torch.from_numpy(rows))
    labels = samples.labels.numpy()
    answers = _answers(model, samples, fabric)
    right = answers == labels
    tried: list[tuple[int, str]] = []
    for what, mean, std in _normalisations(samples, statistics):
        # In terms of the inputs that the network has now, which it may normalise itself.
        first = dict(model.named_children()).get("normalise")
        before = nn.Sequential(_between(first, Normalise(mean, std)), model)
        other = _answers(before, samples, fabric) == labels
        if _is_better(other, right):
            share = 100 * other.mean()
            tried.append(
                (
                    int(other.sum()),
                    f"with {what} it would be {share:.1f} % of {len(labels)}, so its own "
                    "normalisation is likely outside the network: give that",
                )
            )
    moved = _reordered(answers, labels, len(samples.class_names))
    if _is_better(moved[1], right[moved[0]]):
        share = 100 * moved[1].mean()
        tried.append(
            (
                int(moved[1].mean() * len(labels)),
                f"with its classes in another order it would be {share:.1f} % of "
                f"{len(moved[1])}: compare the order in which it was trained with that of the "
                f"data ({', '.join(samples.class_names[:5])}"
                f"{', ...' if len(samples.class_names) > 5 else ''})",
            )
        )
    return max(tried)[1] if tried else None


def _normalisations(
    samples: Samples, statistics: Statistics | None
) -> list[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    """What people put before a network: the flags that say so, the mean, the deviation."""
    found = []
    if statistics is not None:
        found.append(("--normalise data", *statistics))
    if samples.inputs.kind == "images":
        channels = samples.inputs.shape[0]
        if channels == len(IMAGENET[0]):
            found.append(("--normalise imagenet", *IMAGENET))
        for mean, std in ((0.5, 0.5), (0.0, round(1 / 255, 6))):
            flags = (",".join([f"{value:g}"] * channels) for value in (mean, std))
            words = "--mean {} --std {}".format(*flags)
            found.append((words, (mean,) * channels, (std,) * channels))
    return found


def _between(own: nn.Module | None, wanted: nn.Module) -> nn.Module:
    """The change of inputs after which the normalisation `own` gives what `wanted` would."""
    from expunge.models.normalise import Normalise

    if not (isinstance(own, Normalise) and isinstance(wanted, Normalise)):
        return wanted
    std = wanted.std / own.std.cpu()
    return Normalise((wanted.mean - own.mean.cpu() * std).tolist(), std.tolist())


def _reordered(
    answers: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], classes: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Every second sample, and whether it is right with the order of classes that fits the others.

    A fit on the same samples would look better than it is.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((classes, classes))
    fitted = np.flatnonzero(answers[::2] >= 0) * 2
    np.add.at(counts, (answers[fitted], labels[fitted]), 1)
    _, order = linear_sum_assignment(counts, maximize=True)
    rows = np.arange(1, len(labels), 2)
    return rows, (order[answers[rows]] == labels[rows]) & (answers[rows] >= 0)


def _is_better(other: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> bool:
    """Whether `other` is right more often than `right` on the same samples, one-sided."""
    from expunge.statistics.same_samples import mcnemar

    test = mcnemar(other, right)
    return test.only_one > test.only_other and test.p / 2 <= LEVEL


def _answers(model: nn.Module, samples: Samples, fabric: Fabric) -> np.ndarray[Any, Any]:
    """The class that the model gives each sample, `(N,)`; -1 where its logits are not finite."""
    import numpy as np

    from expunge.training.predict import predict

    logits = predict(model, samples, fabric).numpy()
    return np.where(np.isfinite(logits).all(1), logits.argmax(1), -1)
