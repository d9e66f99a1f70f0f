"""STRIP: samples that the network is sure of, whatever other image they are blended with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from expunge.detectors.detector import Detector
from expunge.settings import check_choice, check_range

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats, Integers, SampleEvidence

_BATCH = 250


@dataclass(frozen=True, kw_only=True)
class StripConfig:
    """Settings of STRIP.

    Raises:
        ConfigError: a setting is out of range.
    """

    blends: int = 100
    """How many clean samples each sample is blended with, at most as many as there are."""
    blend: Literal["sum", "mean"] = "sum"
    """The sum of both inputs, cut off at the extremes of the trusted inputs, as sums of 8-bit
    images are; or their mean."""

    def __post_init__(self) -> None:
        check_range("blends", self.blends, 1, None)
        check_choice("blend", self.blend, ("sum", "mean"))


def strip(evidence: SampleEvidence, config: StripConfig) -> Floats:
    """Minus the mean entropy, in bits, of the network's predictions on blends of each sample.

    H = (1/n) Σ_b −Σ_y p_y log₂ p_y over blends b with trusted clean samples. A trigger that decides
    the prediction keeps deciding it, so that H is low.

    Raises:
        DataError: the inputs are tokens.

    Source: Gao et al., ACSAC 2019, equations 3 and 4.
    """
    import numpy as np

    inputs, predict = evidence.network()
    others = inputs(_spread(evidence.trusted_rows(), config.blends))
    scores = np.zeros(len(evidence))
    for start in range(0, len(evidence), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(evidence)))
        own = inputs(rows)
        for other in others:
            both = own + other
            blend = both / 2 if config.blend == "mean" else both.clip(others.min(), others.max())
            scores[rows] -= _entropy(predict(blend))
    return scores / len(others)


def _spread(rows: Integers, count: int) -> Integers:
    """Up to `count` of the rows, from all over their order: the first may all be of one class."""
    import numpy as np

    few = min(count, len(rows))
    return rows[np.arange(few) * len(rows) // few]


def _entropy(logits: Floats) -> Floats:
    """The entropy of softmax predictions in bits, `(N,)`."""
    import numpy as np

    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    entropy: Floats = -(np.exp(log_p) * log_p).sum(1) / np.log(2)
    return entropy


DETECTOR = Detector(
    name="strip",
    run=strip,
    config=StripConfig,
    needs=frozenset({"model", "trusted"}),
    summary="predictions that stay sure when the input is blended with clean ones",
    cite="Gao et al., STRIP: A Defence Against Trojan Attacks on Deep Neural Networks, ACSAC 2019",
)
