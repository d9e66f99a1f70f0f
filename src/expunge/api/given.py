"""What the functions are given: data, ids, and a device."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from expunge.data.arrays import as_samples
from expunge.errors import DataError, some
from expunge.graph.runtime import device_kind, precision_on
from expunge.scenarios.by_ids import as_id
from expunge.settings import PRECISIONS, check_choice
from expunge.types import Dataset, Samples

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def samples_in(
    data: Any,
    role: Literal["train", "test"],
    *,
    ids: Iterable[Any] | None = None,
    class_names: tuple[str, ...] | None = None,
) -> Samples:
    """The samples in anything that is taken as data."""
    named = None if ids is None else _as_ids(ids)
    if isinstance(data, Dataset):
        data = getattr(data, role)
    if isinstance(data, Samples) and named is not None:
        raise DataError(f"the {role} samples have ids already: leave ids out")
    name = "test" if role == "test" else "data"
    return as_samples(data, ids=named, name=name, class_names=class_names)


def _as_ids(ids: Iterable[Any]) -> list[str]:
    values = ids.tolist() if hasattr(ids, "tolist") else ids
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise DataError(f"ids must be one text or whole number per sample, got {values!r:.60}")
    named = [as_id(each) for each in values]
    others = [each for each in named if not isinstance(each, str)]
    if others:
        raise DataError(
            f"ids must be one text or whole number per sample, got {some(map(repr, others))}"
        )
    return [str(each) for each in named]


def fabric_on(device: str, precision: str) -> "Fabric":
    """Lightning Fabric on one device, in a precision.

    Raises:
        ConfigError: there is no such precision, or this machine lacks the device.
    """
    from lightning_fabric import Fabric

    check_choice("precision", precision, PRECISIONS)
    kind = device_kind(device)
    used = precision_on(kind, precision)
    return Fabric(accelerator=kind, devices=1, precision=used)  # type: ignore[arg-type]
