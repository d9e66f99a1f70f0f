"""Settings of σ(m)."""

from dataclasses import dataclass
from typing import Literal

from expunge.errors import ConfigError
from expunge.settings import check_choice, check_range


@dataclass(frozen=True, kw_only=True)
class HessianConfig:
    """Settings of σ(m)."""

    samples: int = 500
    """Training samples for the mean loss of the Hessian, drawn with the seed; all if fewer."""
    batch_size: int = 250
    """Samples per product; bounds the memory and does not change the result."""
    tolerance: float = 1e-4
    """Relative accuracy of the singular value."""
    iterations: int = 300
    """Lanczos restarts before giving up."""
    precision: Literal["float32", "float64"] = "float32"
    """Precision of the Hessian-vector products."""

    def __post_init__(self) -> None:
        check_range("samples", self.samples, 1, None)
        check_range("batch_size", self.batch_size, 1, None)
        check_range("tolerance", self.tolerance, 0, 1)
        if self.tolerance == 0:
            raise ConfigError("tolerance must be more than 0, got 0: no iteration would end")
        check_range("iterations", self.iterations, 1, None)
        check_choice("precision", self.precision, ("float32", "float64"))
