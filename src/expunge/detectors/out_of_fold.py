"""Out-of-fold loss: what models that never saw a sample make of the label that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.detectors.detector import Detector
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats, SampleEvidence


@dataclass(frozen=True, kw_only=True)
class OutOfFoldConfig:
    """Settings of the out-of-fold loss.

    Raises:
        ConfigError: fewer than two folds.
    """

    folds: int = 5
    """In how many parts the training samples are divided; as many models are trained, each without
    one part."""

    def __post_init__(self) -> None:
        check_range("folds", self.folds, 2, None)


def out_of_fold(evidence: SampleEvidence, config: OutOfFoldConfig) -> Floats:
    """The cross-entropy of each sample's label, −log p_y, by a model that was not trained on it.

    A model's own loss is near 0 for all that it has learnt by heart, label right or wrong, and so
    below that of clean samples which it has not seen: it flags nothing.

    Source: Northcutt, Jiang and Chuang, JAIR 2021: self-confidence, out of sample.
    """
    import numpy as np
    from scipy.special import log_softmax

    logits = evidence.array("out_of_fold")
    losses: Floats = -log_softmax(logits, axis=1)[np.arange(len(evidence)), evidence.labels]
    return losses


DETECTOR = Detector(
    name="out_of_fold",
    run=out_of_fold,
    config=OutOfFoldConfig,
    needs=frozenset({"out_of_fold"}),
    summary="the label's loss by a model that was not trained on the sample: for wrong labels",
    cite="Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset "
    "Labels, JAIR 2021",
)
