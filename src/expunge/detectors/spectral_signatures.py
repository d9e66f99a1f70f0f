"""Spectral signatures: samples that stand out along their class's first singular direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from expunge.detectors.detector import Detector
from expunge.settings import check_choice

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats, SampleEvidence


@dataclass(frozen=True, kw_only=True)
class SpectralConfig:
    """Settings of spectral signatures.

    Raises:
        ConfigError: no such centre.
    """

    centre: Literal["trusted", "class"] = "trusted"
    """Measure from the mean of the class's trusted samples, in units of their variance; or from
    the mean of all samples of the class, as in the paper, where poisoned samples are few."""

    def __post_init__(self) -> None:
        check_choice("centre", self.centre, ("trusted", "class"))


def spectral_signatures(evidence: SampleEvidence, config: SpectralConfig) -> Floats:
    """τ_i = ((r_i − μ) · v)² in each class, v the first right singular vector of all r_i − μ.

    r_i are the features of the samples that are labelled as the class. The paper's μ is their mean.
    With as many poisoned samples as clean ones it lies between the two, and τ is the same for both:
    the mean of trusted samples does not move. Divided by their variance along v, τ means the same
    in all classes. A class without two trusted samples has the paper's.

    Source: Tran, Li and Mądry, NeurIPS 2018, algorithm 1.
    """
    import numpy as np

    features, trusted = evidence.array("features"), evidence.trusted_rows()
    scores = np.zeros(len(evidence))
    for label in range(evidence.num_classes):
        rows = np.flatnonzero(evidence.labels == label)
        if len(rows) == 0:
            continue
        known = trusted[evidence.labels[trusted] == label]
        trusts = config.centre == "trusted" and len(known) > 1
        centre = known if trusts else rows
        differences = features[rows] - features[centre].mean(0)
        direction = np.linalg.svd(differences, full_matrices=False)[2][0]
        scores[rows] = (differences @ direction) ** 2
        variance = scores[known].sum() / max(1, len(known) - 1)
        if trusts and variance > 0:
            scores[rows] /= variance
    return scores


DETECTOR = Detector(
    name="spectral_signatures",
    run=spectral_signatures,
    config=SpectralConfig,
    needs=frozenset({"features", "trusted"}),
    summary="far along the first singular direction of the class's features",
    cite="Tran, Li and Mądry, Spectral Signatures in Backdoor Attacks, NeurIPS 2018",
)
