"""Where nodes run: a device, precisions, and the datasets loaded so far."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError, DataError
from expunge.graph.course import Course
from expunge.reuse import Kept
from expunge.runs import Node, checked, read_artefact, read_object
from expunge.settings import IMAGES_ON_DEVICE_BYTES, Progress, silent

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric

    from expunge.data.facts import Facts
    from expunge.types import Dataset

_log = logging.getLogger(__name__)

FLOAT32 = "32-true"
FACTS = "facts.json"
"""The file of a data node."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a process works; sent to other processes and machines."""

    device: str = "auto"
    """A device type that Lightning Fabric knows, or `auto`."""
    devices: int = 1
    """How many train together."""
    strategy: str = "auto"
    """How they train together: one of Lightning Fabric's names."""
    cache_dir: Path | None = None
    """For decoded data; None: `EXPUNGE_CACHE`, or the user's cache folder."""
    budget_bytes: int = IMAGES_ON_DEVICE_BYTES
    """Inputs up to this size are kept on the device."""
    where: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By node: the places of what its params name; they may differ from when it was made."""


class Runtime:
    """What the nodes made in one process share."""

    def __init__(self, place: Place, progress: Progress = silent) -> None:
        self.place = place
        self._progress = progress
        self._datasets: dict[str, tuple[frozenset[str], Dataset]] = {}
        """By data node: the dataset, and which of its training samples are gone."""
        self._facts: dict[str, Facts] = {}
        self.course = Course()
        """Of the node that is being made."""
        self._fabrics: dict[str, Fabric] = {}
        self.kept = Kept()

    @cached_property
    def device(self) -> str:
        """`cpu`, `cuda` or `mps`.

        Raises:
            ConfigError: this machine lacks the requested device.
        """
        return device_kind(self.place.device)

    @cached_property
    def torch_device(self) -> torch.device:
        """The compute device."""
        import torch

        return torch.device(self.device)

    @cached_property
    def device_name(self) -> str:
        """The name that the device reports."""
        import torch

        return torch.cuda.get_device_name() if self.device == "cuda" else self.device

    def precision_of(self, asked: str | None) -> str | None:
        """The precision used on this device for the one asked for; None for None."""
        return None if asked is None else precision_on(self.device, asked)

    @property
    def leads(self) -> bool:
        """Whether this process writes and prints for all that train together."""
        return self.place.devices == 1 or self.evaluator.is_global_zero

    def progress(self, task: str, done: int, total: int, images: int) -> None:
        """Report progress, from only one of the processes that train together."""
        if self.leads:
            self._progress(task, done, total, images)

    def fabric(self, precision: str) -> Fabric:
        """A launched Fabric for the device in a precision.

        Raises:
            ConfigError: Lightning Fabric knows no such precision, strategy or number of devices.
        """
        if precision not in self._fabrics:
            from lightning_fabric import Fabric

            try:
                fabric = Fabric(
                    accelerator=self.device,
                    devices=self.place.devices,
                    strategy=self.place.strategy,
                    precision=precision,  # type: ignore[arg-type]
                )
            except (ValueError, RuntimeError) as error:
                raise ConfigError(" ".join(str(error).split())) from None
            fabric.launch()
            self._fabrics[precision] = fabric
        return self._fabrics[precision]

    @cached_property
    def evaluator(self) -> Fabric:
        """A float32 Fabric: evaluation is never in reduced precision."""
        return self.fabric(FLOAT32)

    def facts(self, data: Path) -> Facts:
        """What the data node in `data` recorded: ids, roles, classes, shape."""
        if data.name not in self._facts:
            self._facts[data.name] = read_facts(data)
        return self._facts[data.name]

    def dataset(self, data: Path, forgotten: Collection[str] = ()) -> Dataset:
        """The dataset of the data node in `data`, edits included, loaded once.

        Training samples whose ids are in `forgotten` may be missing from the source.

        Raises:
            DataError: the data cannot be read, or have changed.
        """
        known = self._datasets.get(data.name)
        if known is not None and known[0] <= frozenset(forgotten):
            return known[1]
        from expunge.data.frozen import load_frozen
        from expunge.data.inputs.placement import place_dataset
        from expunge.graph.kinds.data import check_edits, spec_at

        node = read_artefact(data).node
        spec = spec_at(self.where(node))
        dataset = load_frozen(spec, self.facts(data), forgotten, self.place.cache_dir)
        ids = self.facts(data).train.of_source.ids
        gone = frozenset(ids).difference(dataset.train.ids)
        if gone:
            _log.warning(
                "note: %d of %d training samples are no longer in the data (forgotten)",
                len(gone),
                len(ids),
            )
        if spec.edits:
            from expunge.data.edits.apply import apply_edits

            check_edits(node)
            if gone:
                raise DataError(
                    f"the data at {spec.source} has edits and lacks samples that were forgotten: "
                    "put them back, because edits are drawn from all samples"
                )
            dataset, _ = apply_edits(dataset, spec)
        if spec.labels:
            from expunge.data.corrections import corrected

            # Those that the data node read, whatever has become of the files.
            train = self.facts(data).train
            dataset = corrected(dataset, dict(zip(train.ids, train.labels, strict=True)))
        placed = place_dataset(dataset, self.torch_device, self.place.budget_bytes)
        self._datasets[data.name] = gone, placed
        return placed

    def where(self, node: Node) -> Mapping[str, Any]:
        """The places of what a node names: those of this process, else those when it was made."""
        return self.place.where.get(node.id, node.where)


def read_facts(data: Path) -> Facts:
    """What the data node in this folder recorded.

    Raises:
        StoreError: the file is damaged.
    """
    from expunge.data.facts import Facts

    return Facts.from_json(read_object(checked(data, FACTS)))


def params_of(folder: Path) -> Mapping[str, Any]:
    """The params of the node whose artefact is in `folder`."""
    return read_artefact(folder).node.params


def device_kind(device: str) -> str:
    """`cpu`, `cuda` or `mps`: the requested device, or for `auto` the best on this machine.

    Raises:
        ConfigError: this machine lacks the device.
    """
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    here = "cpu" if found is None else found.type
    if device == "auto":
        return here
    asked = "cuda" if device == "gpu" else device
    if asked not in ("cpu", here):
        expected = "auto or cpu" if here == "cpu" else f"auto, cpu or {here}"
        raise ConfigError(f"device {device!r} is not available: expected {expected}")
    return asked


def precision_on(device: str, precision: str) -> str:
    """The precision to use; `auto` is bf16 where the hardware supports it, else float32.

    Emulated bf16 is ten times slower than float32.
    """
    if precision != "auto":
        return precision
    import torch

    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else FLOAT32
    capabilities = torch.cpu.get_capabilities() if device == "cpu" else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if native else FLOAT32
