"""What is worked on: a network, the images that it is given, and the precision."""

from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from expunge.data.arrays import as_samples
from expunge.graph.runtime import FLOAT32, precision_on
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.types import Samples

CLASSES = 10


@dataclass(frozen=True)
class Workload:
    """A network and the batches that it works on."""

    network: str
    shape: tuple[int, int, int]
    """Channels, height and width of an image."""
    batch: int
    precision: str = FLOAT32
    width: float = 1.0
    device: str = "cpu"

    @property
    def name(self) -> str:
        kind = "float32" if self.precision == FLOAT32 else "bf16"
        place = "" if self.device == "cpu" else f", {self.device}"
        return f"{self.network}, {self.shape[1]}x{self.shape[2]}, {kind}{place}"

    @property
    def dtype(self) -> torch.dtype:
        """What convolutions are computed in."""
        return torch.float32 if self.precision == FLOAT32 else torch.bfloat16

    def build(self) -> nn.Module:
        spec = ModelSpec(
            name=self.network, num_classes=CLASSES, in_channels=self.shape[0], width=self.width
        )
        return build(spec, seed=0)

    def fabric(self) -> Fabric:
        return Fabric(accelerator=self.device, devices=1, precision=self.precision)

    def autocast(self) -> torch.autocast:
        """What PyTorch itself offers for the precision."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision != FLOAT32)

    def tensors(self, count: int) -> tuple[Tensor, Tensor]:
        """Noise, on the CPU: uint8 images `(count, C, H, W)` and labels."""
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (count, *self.shape), generator=generator, dtype=torch.uint8)
        return images, torch.randint(0, CLASSES, (count,), generator=generator)

    def samples(self, count: int) -> Samples:
        return as_samples(self.tensors(count), name="noise")


def native_precisions() -> list[str]:
    """Float32, and bf16 where the processor multiplies it.

    Emulated, bf16 is ten times slower than float32, and nobody would train so.
    """
    return sorted({FLOAT32, precision_on("cpu", "auto")})
