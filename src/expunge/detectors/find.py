"""Score samples, and suspect those above what clean samples score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from expunge.data.splits import limited, subset
from expunge.detectors.detector import Detector, score
from expunge.detectors.evidence import Flags, Floats
from expunge.detectors.observe import observe
from expunge.detectors.threshold import threshold
from expunge.settings import Progress, derive_seed, silent

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from expunge.types import Samples


@dataclass(frozen=True, eq=False)
class Suspects:
    """How suspect a detector finds samples."""

    ids: tuple[str, ...]
    """The ids of the N samples, in order."""
    scores: Floats
    """`(N,)` float64, higher for more suspect."""
    threshold: float
    """A sample with a higher score is suspected."""
    clean_scores: Floats
    """`(M,)` float64: the scores of the clean samples that set the threshold."""
    trusted: int
    """How many clean samples the detector was given."""

    @property
    def flags(self) -> Flags:
        """Bool `(N,)`: which samples are suspected."""
        return self.scores > self.threshold

    @property
    def suspected(self) -> tuple[str, ...]:
        """The ids of the samples that are suspected."""
        return tuple(self.ids[row] for row in np.flatnonzero(self.flags).tolist())

    def __repr__(self) -> str:
        """How many samples are suspected, and what that rests on."""
        return (
            f"Suspects({len(self.suspected)} of {len(self.ids)} samples, above "
            f"{self.threshold:.4g} from {len(self.clean_scores)} clean samples)"
        )


def find(
    detector: Detector,
    config: Any,
    model: nn.Module,
    samples: Samples,
    clean: Samples,
    false_positives: float,
    seed: int,
    fabric: Fabric,
    *,
    unseen: Callable[[Samples], Floats] | None = None,
    progress: Progress = silent,
) -> Suspects:
    """The suspects among `samples`, on which `model` was trained.

    Half of `clean`, drawn by `seed` in the classes' proportions, is given to the detector as
    trusted. The other half is scored like `samples`, and sets the threshold. `unseen` gives the
    logits of samples by models that were not trained on them, for a detector that needs those.

    Raises:
        DataError: there are too few clean samples, or the detector cannot read the inputs.
        ModelError: the last layer of the network is not found.
    """
    trusted = limited(clean.labels, len(clean) // 2, derive_seed(seed, "trusted"))
    others = np.setdiff1d(np.arange(len(clean)), trusted.numpy())
    clean = subset(clean, torch.cat([trusted, torch.from_numpy(others)]))
    outside = None if unseen is None else np.concatenate([unseen(samples), unseen(clean)])
    evidence = observe(
        model,
        samples,
        clean,
        len(trusted),
        detector.needs,
        fabric,
        out_of_fold=outside,
        progress=progress,
    )
    scores = score(detector, evidence, config)
    held_out = scores[len(samples) + len(trusted) :]
    limit = threshold(held_out, false_positives)
    return Suspects(samples.ids, scores[: len(samples)], limit, held_out, len(trusted))
