"""Detectors of poisoned or mislabelled samples, one per file, and the registry `DETECTORS`."""

from expunge.detectors import activation_clustering, out_of_fold, spectral_signatures, strip
from expunge.detectors.detector import Detector
from expunge.errors import ConfigError, unknown
from expunge.plugins import with_added

DETECTORS: tuple[Detector, ...] = (
    activation_clustering.DETECTOR,
    spectral_signatures.DETECTOR,
    strip.DETECTOR,
    out_of_fold.DETECTOR,
)


def all_detectors() -> dict[str, Detector]:
    """Every detector by name: `DETECTORS`, then those of entry points `expunge.detectors`.

    Raises:
        ConfigError: an added detector is not a `Detector`, or its name is taken.
    """
    return with_added("expunge.detectors", Detector, DETECTORS)


def get_detector(name: str) -> Detector:
    """The detector called `name`.

    Raises:
        ConfigError: no detector has this name; the message lists the names.
    """
    detectors = all_detectors()
    if name not in detectors:
        raise ConfigError(unknown("detector", name, detectors))
    return detectors[name]
