"""Where images come from, how they reach the device, how they are augmented and split."""

from expunge.data.arrays import as_samples
from expunge.data.augment import Changes, augment, draw_changes
from expunge.data.images import (
    DEFAULT_BUDGET_BYTES,
    ResidentImages,
    StreamedImages,
    place,
    place_dataset,
)
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.splits import stratified, subset
from expunge.data.statistics import channel_statistics

__all__ = [
    "DEFAULT_BUDGET_BYTES",
    "Changes",
    "DataSpec",
    "ResidentImages",
    "StreamedImages",
    "as_samples",
    "augment",
    "channel_statistics",
    "draw_changes",
    "load",
    "place",
    "place_dataset",
    "stratified",
    "subset",
]
