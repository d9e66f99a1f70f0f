"""Two sets of inputs, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from expunge.errors import DataError

if TYPE_CHECKING:
    from expunge.batch import Batch
    from expunge.settings import InputKind
    from expunge.types import Inputs


class JoinedInputs:
    """The samples of `first`, then those of `second`; with `rows`, a view of some of them.

    Raises:
        DataError: they are of another kind, shape or dtype.
    """

    def __init__(self, first: Inputs, second: Inputs, rows: Tensor | None = None) -> None:
        one, other = ((each.kind, each.shape, each.dtype) for each in (first, second))
        if one != other:
            raise DataError(f"expected inputs of one kind, shape and dtype, got {one} and {other}")
        self._first = first
        self._second = second
        self._rows = rows

    @property
    def kind(self) -> InputKind:
        """That of both."""
        return self._first.kind

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self._first.shape

    @property
    def dtype(self) -> torch.dtype:
        """As stored."""
        return self._first.dtype

    @property
    def vocabulary(self) -> int | None:
        """One more than the largest token id of both; None for images and vectors."""
        sizes = [each.vocabulary for each in (self._first, self._second)]
        known = [size for size in sizes if size is not None]
        return max(known) if known else None

    def __len__(self) -> int:
        """How many samples there are."""
        if self._rows is not None:
            return len(self._rows)
        return len(self._first) + len(self._second)

    def to(self, device: torch.device) -> JoinedInputs:
        """The same samples, with batches on `device`."""
        return JoinedInputs(self._first.to(device), self._second.to(device), self._rows)

    def take(self, index: Tensor) -> JoinedInputs:
        """A view of the samples at `index`, int64 `(M,)`, in that order."""
        index = index.cpu()
        rows = index if self._rows is None else self._rows[index]
        return JoinedInputs(self._first, self._second, rows)

    def batches(self, index: Iterable[Tensor]) -> Iterator[Batch]:
        """The samples at each int64 index `(B,)`."""
        rows = [each.cpu() if self._rows is None else self._rows[each.cpu()] for each in index]
        if not rows:
            return
        start, everything = len(self._first), torch.cat(rows)
        # Nearly always all are of one part: a stream of what to forget, or of what to retain.
        if bool((everything < start).all()):
            yield from self._first.batches(rows)
        elif bool((everything >= start).all()):
            yield from self._second.batches([each - start for each in rows])
        else:
            for each in rows:
                yield self._mixed(each, start)

    def _mixed(self, rows: Tensor, start: int) -> Batch:
        """One batch of samples of both parts."""
        early = rows < start
        found = [
            next(iter(part.batches([chosen])))
            for part, chosen in (
                (self._first, rows[early]),
                (self._second, rows[~early] - start),
            )
            if len(chosen)
        ]
        place = torch.cat([early.nonzero().flatten(), (~early).nonzero().flatten()]).argsort()
        return _in_order(found, place)


def _in_order(parts: list[Batch], place: Tensor) -> Batch:
    """The samples of the parts, one after the other, put into the order `place`."""
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if tensors:
        whole = torch.cat(tensors)
        return whole[place.to(whole.device)]
    named = [part for part in parts if not isinstance(part, Tensor)]
    return {
        name: torch.cat([part[name] for part in named])[place.to(named[0][name].device)]
        for name in named[0]
    }
