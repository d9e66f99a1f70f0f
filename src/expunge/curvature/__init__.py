"""Per-sample gradients, the Fisher information and inverse-curvature products.

Networks are always in evaluation mode: in training mode, batch normalisation mixes the samples of a
batch, and per-sample gradients do not exist. Inputs are those of the network.
"""

from typing import Literal

Curvature = Literal["ggn", "fisher"]
"""`ggn` is Jᵀ(diag(p) − ppᵀ)J, also the expected Fisher; `fisher` the empirical one, g gᵀ."""
