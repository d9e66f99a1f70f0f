"""Settings shared by methods that use SGD."""

from __future__ import annotations

from dataclasses import dataclass

from expunge.settings import Training


@dataclass(frozen=True, kw_only=True)
class SGDConfig:
    """Settings of SGD at a constant learning rate; methods with more settings extend it."""

    epochs: int = 10
    """Passes over the retained samples."""
    lr: float = 0.01
    """Initial learning rate."""
    momentum: float = 0.9
    """SGD momentum."""
    weight_decay: float = 5e-4
    """L2 penalty on every parameter."""
    batch_size: int = 256
    """Samples per step."""

    def __post_init__(self) -> None:
        self.training()

    def training(self) -> Training:
        """These settings as `Training`, which validates them."""
        return Training(
            epochs=self.epochs,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            schedule="constant",
        )
