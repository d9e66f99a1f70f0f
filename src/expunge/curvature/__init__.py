"""Per-sample gradients, the Fisher information and inverse-curvature products.

Networks are in evaluation mode throughout: in training mode batch normalisation mixes the samples
of a batch, and a gradient of one sample does not exist. Inputs are as the network takes them.
"""

from typing import Literal

Curvature = Literal["ggn", "fisher"]
"""`ggn` is Jᵀ(diag(p) − ppᵀ)J, also the expected Fisher; `fisher` the empirical one, g gᵀ."""
