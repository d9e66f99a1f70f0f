"""Sequences of token ids by index."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from expunge.data.inputs.resident import ResidentTensor
from expunge.errors import DataError
from expunge.settings import InputKind

NAMES = ("input_ids", "attention_mask", "token_type_ids")
"""The tensors of a token batch; the last one is optional."""


class Tokens:
    """Tokens in int64 tensors `(N, L)` by name, padded to one length, on the compute device.

    `attention_mask` is 1 where there is a token and 0 where there is padding.

    Raises:
        DataError: a tensor is missing, or they differ in shape, are not int64 or hold what they
            must not.
    """

    kind: InputKind = "tokens"
    dtype = torch.int64

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        _check(tensors)
        self._parts = {name: ResidentTensor(tensor) for name, tensor in tensors.items()}
        self.vocabulary: int | None = int(tensors["input_ids"].max()) + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The padded length."""
        return self._parts["input_ids"].shape

    @property
    def nbytes(self) -> int:
        """Bytes of all tokens."""
        return sum(part.nbytes for part in self._parts.values())

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All samples, int64 `(N, L)` by name; copies if this is a view."""
        return {name: part.tensor for name, part in self._parts.items()}

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._parts["input_ids"])

    def to(self, device: torch.device) -> "Tokens":
        """The same samples on `device`; a view moves only its own samples."""
        return self._of({name: part.to(device) for name, part in self._parts.items()})

    def take(self, index: Tensor) -> "Tokens":
        """A view of the samples at `index`, int64 `(M,)`; the tensors are shared."""
        return self._of({name: part.take(index) for name, part in self._parts.items()})

    def batches(self, index: Iterable[Tensor]) -> Iterator[dict[str, Tensor]]:
        """For each int64 index `(B,)`, tensors `(B, L)` by name, on the device."""
        index = list(index)
        parts = [part.batches(index) for part in self._parts.values()]
        for tensors in zip(*parts, strict=True):
            yield dict(zip(self._parts, tensors, strict=True))

    def padded(self, length: int) -> "Tokens":
        """The same samples, zero-padded at the end to `length`; unchanged if they are longer."""
        missing = length - self.shape[0]
        if missing <= 0:
            return self
        return Tokens(
            {name: torch.nn.functional.pad(t, (0, missing)) for name, t in self.tensors.items()}
        )

    def _of(self, parts: dict[str, ResidentTensor]) -> "Tokens":
        # Checked already, and a check would wait for the device.
        other = object.__new__(Tokens)
        other._parts, other.vocabulary = parts, self.vocabulary
        return other


def _check(tensors: Mapping[str, Tensor]) -> None:
    missing = [name for name in NAMES[:2] if name not in tensors]
    if missing or not tensors.keys() <= set(NAMES):
        raise DataError(
            f"tokens are {', '.join(NAMES[:2])} and perhaps {NAMES[2]}, got {', '.join(tensors)}"
        )
    shape = tensors["input_ids"].shape
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or tensor.dtype != torch.int64 or 0 in tensor.shape:
            raise DataError(
                f"{name} must be int64 of shape (N, L), got "
                f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
            )
        if tensor.shape != shape:
            raise DataError(
                f"{name} has the shape {tuple(tensor.shape)}, and input_ids {tuple(shape)}: "
                "expected the same"
            )
    if int(tensors["input_ids"].min()) < 0:
        row = int((tensors["input_ids"] < 0).any(1).nonzero()[0])
        raise DataError(f"row {row}: input_ids holds a negative id, expected 0 or more")
    mask = tensors["attention_mask"]
    wrong = ((mask != 0) & (mask != 1)).any(1) | ~(mask != 0).any(1)
    if bool(wrong.any()):
        raise DataError(
            f"row {int(wrong.nonzero()[0])}: attention_mask must be 0 and 1, at least one of them "
            "1, for a sequence without a token cannot be read"
        )
