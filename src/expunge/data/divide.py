"""Divide a source's parts into a dataset: hold out missing parts, and limit the numbers."""

from collections.abc import Mapping
from dataclasses import replace

from expunge.data.choose_classes import of_chosen_classes
from expunge.data.classes import class_notes
from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec
from expunge.data.splits import limited, stratified, subset
from expunge.errors import ConfigError, DataError
from expunge.settings import derive_seed
from expunge.types import Dataset, Samples


def divide(parts: Mapping[Role, Samples], spec: DataSpec) -> Dataset:
    """The dataset of `spec` from the parts that its source has.

    Raises:
        ConfigError: validation samples are requested from the training data, but the source has
            some; or a class is chosen that is not there.
        DataError: the parts do not fit together, or are too small to hold something out.
    """
    parts = of_chosen_classes(parts, spec)
    train, test, validation = parts["train"], parts.get("test"), parts.get("validation")
    for other in (test, validation):
        if other is None:
            continue
        one, two = train.inputs, other.inputs
        same = (one.kind, one.shape) == (two.kind, two.shape)
        if other.class_names != train.class_names or not same:
            raise DataError(
                f"{spec.source}: training {one.kind} {one.shape} of {train.num_classes} classes "
                f"do not fit {two.kind} {two.shape} of {other.num_classes} classes: "
                "both need the same kind, shape and class names"
            )
    if train.num_classes == 1:
        raise DataError(
            f"{spec.source}: all {len(train)} samples are of one class, {train.class_names[0]!r}: "
            "expected two or more; classes that do not occur can be given as class_names"
        )
    held_out = []
    if test is None:
        train, test = _hold_out(train, spec.test_fraction, spec, "test")
        held_out.append("test")
    if spec.validation_fraction:
        if validation is not None:
            raise ConfigError(
                f"{spec.source} has validation samples: leave validation_fraction out"
            )
        train, validation = _hold_out(train, spec.validation_fraction, spec, "validation")
        held_out.append("validation")
    if notes := class_notes(train, chosen=spec.only_classes is not None):
        train = replace(train, notes=(*train.notes, *notes))
    return Dataset(
        train=_limit(train, spec.train_limit, spec, "train limit"),
        test=_limit(test, spec.test_limit, spec, "test limit"),
        validation=validation,
        held_out=tuple(held_out),
    )


def _hold_out(
    samples: Samples, fraction: float, spec: DataSpec, purpose: str
) -> tuple[Samples, Samples]:
    kept, held_out = stratified(samples.labels, fraction, derive_seed(spec.seed, purpose))
    if not len(kept) or not len(held_out):
        raise DataError(
            f"{spec.source}: {len(samples)} samples are too few to hold out {fraction:g} of every "
            f"class for {purpose}"
        )
    return subset(samples, kept), subset(samples, held_out)


def _limit(samples: Samples, count: int | None, spec: DataSpec, purpose: str) -> Samples:
    if count is None:
        return samples
    chosen = subset(samples, limited(samples.labels, count, derive_seed(spec.seed, purpose)))
    note = f"{purpose}: {len(chosen)} of {len(samples)} samples are used"
    return replace(chosen, notes=(*samples.notes, note))
