"""Find training samples that may be poisoned or mislabelled."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from expunge.api.given import fabric_on, samples_in
from expunge.api.results import Sparse
from expunge.config import from_mapping
from expunge.detectors import get_detector
from expunge.detectors.find import Suspects, find
from expunge.errors import ConfigError
from expunge.models.check import check_model
from expunge.settings import Progress, silent


def find_suspects(
    model: nn.Module | Sparse,
    data: Any,
    clean: Any,
    *,
    detector: str = "spectral_signatures",
    config: Any = None,
    false_positives: float = 0.05,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> Suspects:
    """The samples of `data`, on which `model` was trained, that `detector` suspects.

    `data` and `clean` are what `split` takes as training data. `clean` are samples that are known
    to be clean and not among `data`: half of them, drawn by `seed`, is for the detector, the other
    half sets the threshold, which a share `false_positives` of clean samples may exceed. `config`
    is the detector's settings, as its dataclass or as a mapping. Forget the suspects with
    `by_ids(found.suspected)`.

    Raises:
        ConfigError: an unknown detector or setting, or a detector that needs further models.
        DataError: the data cannot be read, or there are too few clean samples.
        ModelError: the model does not fit the data, or its last layer is not found.
    """
    chosen = get_detector(detector)
    if config is None or isinstance(config, Mapping):
        config = from_mapping(chosen.config, config or {}, f"detector {detector}")
    if "out_of_fold" in chosen.needs:
        raise ConfigError(
            f"{detector} needs models that were each trained without a part of the data: use "
            f"expunge unlearn RUN --forget suspected:{detector}"
        )
    samples = samples_in(data, "train")
    known = samples_in(clean, "train", class_names=samples.class_names)
    whole = model.model if isinstance(model, Sparse) else model
    check_model(whole, samples.inputs.shape, samples.num_classes, samples.inputs.kind)
    fabric = fabric_on(device, "32-true")
    return find(
        chosen, config, whole, samples, known, false_positives, seed, fabric, progress=progress
    )
