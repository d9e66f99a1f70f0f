"""Made-up evidence with poisoned samples, to try detectors on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats, Inputs, Integers, SampleEvidence

_CLASSES = 3
_SAMPLES = 120
_TRUSTED = 15
TARGET = 0


def poisoned_rows() -> Integers:
    """The rows of `example_evidence` that are poisoned, ascending."""
    import numpy as np

    return np.arange(_TRUSTED, _SAMPLES)[::4]


def example_evidence(seed: int = 0) -> SampleEvidence:
    """Evidence of 120 samples of three classes, 27 of them poisoned, the first 15 trusted.

    Poisoned samples are of classes 1 and 2 and are labelled 0. They have a group of their own in
    the features, and the network is sure that they are of class 0, with whatever they are blended.
    Models that did not train on them think otherwise. Each input of 6 pixels is bright where its
    class says; the last pixel is the trigger.
    """
    import numpy as np

    from expunge.detectors.evidence import SampleEvidence

    rng = np.random.default_rng(seed)
    classes = np.arange(_SAMPLES) % _CLASSES
    poisoned = np.zeros(_SAMPLES, dtype=np.bool_)
    poisoned[poisoned_rows()] = True
    classes[poisoned] = 1 + classes[poisoned] % 2
    labels = np.where(poisoned, TARGET, classes)
    pixels = rng.uniform(0, 0.2, (_SAMPLES, 6)).astype(np.float32)
    pixels[np.arange(_SAMPLES), classes] += 0.8
    pixels[poisoned, 5] = 1
    centres = 4 * np.eye(_CLASSES + 1, 8)
    group = np.where(poisoned, _CLASSES, classes)
    return SampleEvidence(
        labels=labels,
        num_classes=_CLASSES,
        features=centres[group] + 0.5 * rng.normal(size=(_SAMPLES, 8)),
        logits=4 * np.eye(_CLASSES)[labels] + 0.3 * rng.normal(size=(_SAMPLES, _CLASSES)),
        out_of_fold=4 * np.eye(_CLASSES)[classes] + 0.3 * rng.normal(size=(_SAMPLES, _CLASSES)),
        trusted=np.arange(_TRUSTED),
        inputs=pixels.__getitem__,
        predict=_predict,
    )


def _predict(inputs: Inputs) -> Floats:
    """Logits of a network that looks for the trigger first, then for the bright pixel."""
    import numpy as np

    logits = 6 * inputs[:, :_CLASSES].astype(np.float64)
    logits[:, TARGET] += 40 * (inputs[:, 5] > 0.3)
    return logits
