"""What a network returns in training mode, where it may return more than logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from expunge.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


def first_output(outputs: object) -> Tensor:
    """The first of a network's outputs; auxiliary heads, such as GoogLeNet's, come after it.

    Raises:
        ModelError: it is not a tensor.
    """
    from torch import Tensor

    first = outputs
    if isinstance(outputs, Mapping):
        first = next(iter(outputs.values()), None)
    elif isinstance(outputs, tuple | list):
        first = outputs[0] if outputs else None
    if isinstance(first, Tensor):
        return first
    raise ModelError(
        f"the network must return logits, or logits first, in training mode: got "
        f"{type(outputs).__name__}"
        + ("" if first is outputs else f" that begins with {type(first).__name__}")
    )
