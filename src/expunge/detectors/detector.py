"""A detector: a function from evidence to how suspect each sample is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError, DataError

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats, SampleEvidence


@dataclass(frozen=True, kw_only=True)
class Detector:
    """One detector of poisoned or mislabelled samples.

    `run(evidence, config)` gives float64 `(N,)`, one score for each row of the evidence, higher for
    more suspect. It draws nothing, does not change its arguments, and does not depend on the order
    of the rows.
    """

    name: str
    """Its name in commands and scenarios: `suspected:NAME`."""
    run: Callable[[SampleEvidence, Any], Floats]
    config: type[Any]
    """Its settings: a frozen dataclass whose defaults are the paper's."""
    needs: frozenset[str]
    """What it reads beside the labels, from `expunge.detectors.evidence.NEEDS`; it gets nothing
    else."""
    version: int = 1
    """Raised when its scores change; part of the id of every list of suspects."""
    summary: str
    """One line for lists."""
    cite: str
    """Where it was published."""
    example: Any = None
    """Settings to try it with on `expunge.detectors.example.example_evidence`; None: the
    defaults."""


def score(detector: Detector, evidence: SampleEvidence, config: Any) -> Floats:
    """Run `detector` on only the evidence that it needs: float64 `(N,)`, finite.

    Raises:
        ConfigError: it needs something that nobody knows.
        DataError: something that it needs is missing, or it gives other than N finite numbers.
    """
    import numpy as np

    found = detector.run(evidence.only(detector.needs), config)
    if not isinstance(found, np.ndarray) or found.dtype != np.float64:
        kind = getattr(found, "dtype", type(found).__name__)
        raise ConfigError(f"detector {detector.name} must give an array of float64, got {kind}")
    if found.shape != (len(evidence),):
        raise DataError(
            f"detector {detector.name} must give one score for each of {len(evidence)} samples, "
            f"got {found.shape}"
        )
    if broken := int((~np.isfinite(found)).sum()):
        raise DataError(f"detector {detector.name}: {broken} of {len(found)} scores are not finite")
    return found
