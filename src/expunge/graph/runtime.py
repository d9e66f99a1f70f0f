"""Where nodes run: a device with a precision, and the datasets loaded so far."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError, DataError
from expunge.runs import Node, checked, read_artefact, read_object
from expunge.settings import Progress, silent

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric

    from expunge.data.facts import Facts
    from expunge.types import Dataset

_log = logging.getLogger(__name__)

FLOAT32 = "32-true"
FACTS = "facts.json"
"""The file of a data node."""
DEFAULT_BUDGET_BYTES = 4 * 2**30


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a process is told of where it works; it travels to other processes and machines."""

    device: str = "auto"
    """A kind that Lightning Fabric knows, or `auto`."""
    devices: int = 1
    """How many train together."""
    strategy: str = "auto"
    """How they do: Lightning Fabric's name."""
    cache_dir: Path | None = None
    """Decoded data; None: `EXPUNGE_CACHE`, or the user's cache folder."""
    budget_bytes: int = DEFAULT_BUDGET_BYTES
    """Inputs up to this size live on the device."""
    where: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By node: where to find what its params name, which may be elsewhere than when it was made."""


class Runtime:
    """What nodes share while they run in one process."""

    def __init__(self, place: Place, progress: Progress = silent) -> None:
        self.place = place
        self._progress = progress
        self._datasets: dict[str, tuple[frozenset[str], Dataset]] = {}
        """By data node: the dataset, and which of its training samples are gone."""
        self._facts: dict[str, Facts] = {}
        self._fabrics: dict[str, Fabric] = {}

    @cached_property
    def device(self) -> str:
        """`cpu`, `cuda` or `mps`.

        Raises:
            ConfigError: the device that was asked for is not here.
        """
        return device_kind(self.place.device)

    @cached_property
    def torch_device(self) -> torch.device:
        """The compute device."""
        import torch

        return torch.device(self.device)

    @cached_property
    def device_name(self) -> str:
        """What the device calls itself."""
        import torch

        return torch.cuda.get_device_name() if self.device == "cuda" else self.device

    def precision_of(self, asked: str | None) -> str | None:
        """What a precision that was asked for has become here; None where none was."""
        return None if asked is None else precision_on(self.device, asked)

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks for all that train together."""
        return self.place.devices == 1 or self.evaluator.is_global_zero

    def progress(self, task: str, done: int, total: int, images: int) -> None:
        """Report steps done of a task, from one process of those that train together."""
        if self.leads:
            self._progress(task, done, total, images)

    def fabric(self, precision: str) -> Fabric:
        """The device in a precision, launched.

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
        """The device in float32: evaluation does not round, whatever training does."""
        return self.fabric(FLOAT32)

    def facts(self, data: Path) -> Facts:
        """What the data node in `data` froze: ids, roles, classes, shape."""
        if data.name not in self._facts:
            self._facts[data.name] = read_facts(data)
        return self._facts[data.name]

    def dataset(self, data: Path, forgotten: Collection[str] = ()) -> Dataset:
        """The dataset of the data node in `data`, edits included, loaded once.

        Of `forgotten`, ids of training samples, some may be gone from the source by now.

        Raises:
            DataError: it cannot be read, or is not what it was.
        """
        known = self._datasets.get(data.name)
        if known is not None and known[0] <= frozenset(forgotten):
            return known[1]
        from expunge.data.frozen import load_frozen
        from expunge.data.inputs.placement import place_dataset
        from expunge.graph.kinds.data import spec_at

        spec = spec_at(self.where(read_artefact(data).node))
        dataset = load_frozen(spec, self.facts(data), forgotten, self.place.cache_dir)
        ids = self.facts(data).train.ids
        gone = frozenset(ids).difference(dataset.train.ids)
        if gone:
            _log.warning(
                "note: %d of %d training samples are no longer in the data (forgotten)",
                len(gone),
                len(ids),
            )
        if spec.edits:
            from expunge.data.edits.apply import apply_edits

            if gone:
                raise DataError(
                    f"the data at {spec.source} has edits and lacks samples that were forgotten: "
                    "put them back, for what an edit touches is drawn from all of them"
                )
            dataset, _ = apply_edits(dataset, spec)
        placed = place_dataset(dataset, self.torch_device, self.place.budget_bytes)
        self._datasets[data.name] = gone, placed
        return placed

    def where(self, node: Node) -> Mapping[str, Any]:
        """Where to find what a node names: as it is now, or was when the node was made."""
        return self.place.where.get(node.id, node.where)


def read_facts(data: Path) -> Facts:
    """What the data node in this folder froze.

    Raises:
        StoreError: the file is damaged.
    """
    from expunge.data.facts import Facts

    return Facts.from_json(read_object(checked(data, FACTS)))


def params_of(folder: Path) -> Mapping[str, Any]:
    """The params of the node that the artefact in `folder` was made from."""
    return read_artefact(folder).node.params


def device_kind(device: str) -> str:
    """`cpu`, `cuda` or `mps`: what `auto` stands for here, or what was asked for.

    Raises:
        ConfigError: there is no such device here.
    """
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    here = "cpu" if found is None else found.type
    if device == "auto":
        return here
    asked = "cuda" if device == "gpu" else device
    if asked not in ("cpu", here):
        raise ConfigError(f"device {device!r} is not here: expected auto, cpu or {here}")
    return asked


def precision_on(device: str, precision: str) -> str:
    """What `auto` stands for on `device`: bf16 where the hardware multiplies it, else float32.

    Without such hardware bf16 is emulated, and ten times slower than float32.
    """
    if precision != "auto":
        return precision
    import torch

    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else FLOAT32
    capabilities = torch.cpu.get_capabilities() if device == "cpu" else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if native else FLOAT32
