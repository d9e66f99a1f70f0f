"""Where stages run: the store, the device, and the datasets loaded so far."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from expunge.data.inputs.placement import DEFAULT_BUDGET_BYTES, place_dataset
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError
from expunge.runs import Spec, Store
from expunge.settings import Progress, silent
from expunge.types import Dataset

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FLOAT32 = "32-true"

Announce = Callable[[str, str, float | None], None]


def quiet(spec_id: str, label: str, seconds: float | None) -> None:
    """The announcement callback that says nothing."""


class Workspace:
    """What stages share: a store, a device with a precision, and datasets."""

    def __init__(
        self,
        store: Store,
        *,
        device: str = "auto",
        devices: int = 1,
        strategy: str = "auto",
        compiled: bool = False,
        cache_dir: Path | None = None,
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
        progress: Progress = silent,
        announce: Announce = quiet,
    ) -> None:
        """`device` is a kind that Lightning Fabric knows, or `auto`.

        `compiled` has `torch.compile` make training steps; it takes a minute and pays on GPUs.
        `announce` is told once of every stage that is there: its id, what it is, and the seconds
        that it took, or None when it was there already.

        Raises:
            ConfigError: there is no such device, or training is to be compiled on several.
        """
        if compiled and devices > 1:
            raise ConfigError(
                f"compile and devices={devices} cannot be had together: leave one of them out"
            )
        self.store = store
        self.device = device_kind(device)
        self.devices = devices
        self.strategy = strategy
        self.compiled = compiled
        self.cache_dir = cache_dir
        self.budget_bytes = budget_bytes
        self._progress = progress
        self._datasets: dict[DataSpec, Dataset] = {}
        self._fabrics: dict[str, Fabric] = {}
        self._specs: dict[str, Spec] = {}
        self._announce = announce
        self._told: set[str] = set()
        # Processes of one run begin together: each goes through the same stages, in step.
        self.leads = devices == 1 or self.evaluator.global_rank == 0

    def tell(self, run_id: str, label: str, seconds: float | None) -> None:
        """Announce that a stage is there: made in `seconds`, or found; each is told of once."""
        if self.leads and run_id not in self._told:
            self._told.add(run_id)
            self._announce(run_id, label, seconds)

    def fabric(self, precision: str) -> "Fabric":
        """Lightning Fabric on this workspace's device, launched, in `precision`.

        Raises:
            ConfigError: the precision, strategy or number of devices is not to be had.
        """
        if precision not in self._fabrics:
            from lightning_fabric import Fabric

            try:
                fabric = Fabric(
                    accelerator=self.device,
                    devices=self.devices,
                    strategy=self.strategy,
                    precision=precision,  # type: ignore[arg-type]
                )
            except (ValueError, RuntimeError) as error:
                raise ConfigError(" ".join(str(error).split())) from None
            fabric.launch()
            self._fabrics[precision] = fabric
        return self._fabrics[precision]

    def progress(self, task: str, done: int, total: int, images: int) -> None:
        """Report steps done of a task, from one process of a run."""
        if self.leads:
            self._progress(task, done, total, images)

    @cached_property
    def evaluator(self) -> "Fabric":
        """The device in float32: evaluation does not round, whatever training does."""
        return self.fabric(FLOAT32)

    def data(self, spec: DataSpec) -> Dataset:
        """The dataset of `spec`, loaded once.

        Raises:
            DataError: it cannot be read.
        """
        if spec not in self._datasets:
            dataset = load(spec, cache_dir=self.cache_dir)
            self._datasets[spec] = place_dataset(
                dataset, torch.device(self.device), self.budget_bytes
            )
        return self._datasets[spec]

    def spec(self, run_id: str) -> Spec:
        """The spec of a run in the store, whose files are checked when it is first asked for.

        Raises:
            StoreError: the run is not there, or is not whole.
        """
        if run_id not in self._specs:
            self._specs[run_id] = self.store.open(run_id).spec
        return self._specs[run_id]


def device_kind(device: str) -> str:
    """`cpu`, `cuda` or `mps`: what `auto` stands for here, or what was asked for.

    Raises:
        ConfigError: there is no such device here.
    """
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
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else FLOAT32
    capabilities = torch.cpu.get_capabilities() if device == "cpu" else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if native else FLOAT32
