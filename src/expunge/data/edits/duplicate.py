"""Duplicates: some training samples many times over, so that a model learns them by heart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from expunge.data.edits.edit import Edit, Edited
from expunge.errors import DataError
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.types import Samples


@dataclass(frozen=True, kw_only=True)
class DuplicateConfig:
    """Settings of duplicates.

    Raises:
        ConfigError: no sample is chosen, or each would be there only once.
    """

    samples: int = 20
    """How many samples to repeat, drawn without regard to class."""
    times: int = 50
    """How often each is there, itself included."""

    def __post_init__(self) -> None:
        check_range("samples", self.samples, 1, None)
        check_range("times", self.times, 2, None)


def duplicate(samples: Samples, config: DuplicateConfig, seed: int) -> Edited:
    """The samples, and after them copies of those chosen, with ids `ID+1`, `ID+2` and so on.

    Chosen samples and all their copies are touched.

    Raises:
        DataError: there are not more samples than are chosen, or an id is taken.

    Source: Somepalli et al., CVPR 2023: diffusion models replicate what their data repeat.
    """
    import torch

    from expunge.data.identity import fingerprint

    count = len(samples)
    if config.samples >= count:
        raise DataError(
            f"duplicate chooses {config.samples} of {count} samples: expected fewer than all"
        )
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(count, generator=generator)[: config.samples].sort().values
    rows = chosen.repeat_interleave(config.times - 1)
    names = [samples.ids[row] for row in chosen.tolist()]
    added = tuple(f"{name}+{number}" for name in names for number in range(1, config.times))
    if taken := set(added) & set(samples.ids):
        raise DataError(f"duplicate cannot name a copy {min(taken)!r}: a sample has this id")
    index = torch.cat([torch.arange(count), rows])
    inputs, labels, ids = samples.inputs.take(index), samples.labels[index], (*samples.ids, *added)
    repeated = replace(
        samples,
        inputs=inputs,
        labels=labels,
        ids=ids,
        fingerprint=fingerprint(inputs, labels, ids, samples.class_names),
    )
    return Edited(repeated, (*names, *added))


EDIT = Edit(
    name="duplicate",
    run=duplicate,
    config=DuplicateConfig,
    summary="duplicates: some samples many times over",
    cite="Somepalli et al., Diffusion Art or Digital Forgery? Investigating Data Replication in "
    "Diffusion Models, CVPR 2023",
    example=DuplicateConfig(samples=3, times=4),
)
