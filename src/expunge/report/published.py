"""Published numbers of Trojan cleanse, and whether an experiment has their setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SOURCE = (
    "Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023: ResNet-18, 182 "
    "epochs, all of CIFAR-10, BadNets, 10 %; digitised from the figures, ASR ±0.3, SA ±0.1"
)

SPARSITIES = (0.0, 0.75, 0.9, 0.95, 0.99)

CURVES: dict[str, dict[str, tuple[float, ...]]] = {
    "asr_all": {
        "original": (99.7, 99.7, 99.7, 99.7, 99.6),
        "ft": (46.9, 43.5, 15.6, 14.6, 11.3),
        "l1_sparse": (13.7,),
    },
    "ta": {
        "original": (94.2, 94.3, 94.1, 93.8, 91.5),
        "ft": (93.5, 94.0, 93.7, 92.8, 89.4),
        "l1_sparse": (92.95,),
    },
}
"""By measure and method, at `SPARSITIES`; ℓ1-sparse on the dense model only."""

_BADNETS = {"share": 0.1, "target": 0, "size": 4, "row": -6, "column": -6, "value": 0}


def published(measure: str, method: str, sparsity: float) -> float | None:
    """The published value, or None.

    >>> published("asr_all", "ft", 0.95), published("asr", "ft", 0.95)
    (14.6, None)
    """
    values = CURVES.get(measure, {}).get(method, ())
    return dict(zip(SPARSITIES, values, strict=False)).get(sparsity)


def same_data(settings: Mapping[str, Any]) -> bool:
    """Whether an experiment poisons CIFAR-10 as the paper does, be it a part of it or all.

    >>> same_data({"data": {"source": "uoft-cs/cifar10", "edits": {"badnets": {}}}})
    True
    >>> same_data({"data": {"source": "digits", "edits": {"badnets": {}}}})
    False
    """
    data = _table(settings, "data")
    edits = _table(data, "edits")
    name = f"{data.get('source', '')} {data.get('name', '')}"
    given = edits.get("badnets")
    return (
        "cifar10" in name.replace("cifar100", "")
        and set(edits) == {"badnets"}
        and isinstance(given, Mapping)
        and {**_BADNETS, **given} == _BADNETS
    )


def same_setting(settings: Mapping[str, Any]) -> bool:
    """Whether it is the published experiment, so that its numbers are to be compared too."""
    network, training = _table(settings, "network"), _table(settings, "training")
    return (
        same_data(settings)
        and _table(settings, "data").get("train_limit") is None
        and network.get("name") == "resnet18"
        and network.get("width", 1.0) == 1.0
        and training.get("epochs") == 182
    )


def _table(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, Mapping) else {}
