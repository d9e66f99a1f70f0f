"""Ids of samples and fingerprints of datasets."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from expunge.batch import Batch, map_batch
from expunge.errors import DataError, some
from expunge.types import Inputs

_BATCH = 1024


def content_ids(inputs: Inputs) -> tuple[str, ...]:
    """An id for every sample: 16 hex digits of the hash of its shape and bytes.

    Padding at the end of tokens does not count, so that an id does not depend on the longest
    sample. The second of several identical samples gets the suffix `-1`, the third `-2`, and so on.
    """
    seen: Counter[str] = Counter()
    ids = []
    # The shape of tokens is the padded length, which does not belong to the sample.
    shape = b"" if inputs.kind == "tokens" else repr(inputs.shape).encode()
    for batch in _in_order(inputs):
        for content in _contents(batch):
            name = hashlib.blake2b(shape + content, digest_size=8).hexdigest()
            ids.append(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return tuple(ids)


def given_ids(values: Sequence[object], where: str) -> tuple[str, ...]:
    """The ids of a column, as text.

    Raises:
        DataError: an id is missing, neither a text nor a whole number, or given twice.
    """
    missing = [row for row, value in enumerate(values) if value is None or str(value) == ""]
    if missing:
        raise DataError(f"{where}: rows without an id: {some(missing)}")
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int | np.integer):
            raise DataError(
                f"{where}, row {row}: an id must be a text or a whole number, got {value!r:.60} "
                f"({type(value).__name__})"
            )
    ids = tuple(str(value) for value in values)
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"{where}: {len(twice)} ids are given more than once: {some(twice)}")
    return ids


def fingerprint(
    inputs: Inputs, labels: Tensor, ids: Iterable[str], class_names: Iterable[str]
) -> str:
    """Hex digest of everything in the samples: inputs, labels, ids and class names."""
    digest = hashlib.blake2b(repr(inputs.shape).encode(), digest_size=16)
    for batch in _in_order(inputs):
        for name, tensor in _named(batch):
            digest.update(name.encode())
            digest.update(str(tensor.dtype).encode())
            digest.update(tensor.numpy().data)
    digest.update(labels.numpy().data)
    for names in (ids, class_names):
        digest.update(repr(tuple(names)).encode())
    return digest.hexdigest()


def sample_digests(inputs: Inputs, labels: Tensor) -> tuple[str, ...]:
    """16 hex digits for every sample: the hash of its input's bytes and its label.

    Padding at the end of tokens does not count, as in ids.
    """
    found: list[str] = []
    classes = labels.tolist()
    for batch in _in_order(inputs):
        for content in _contents(batch):
            digest = hashlib.blake2b(content, digest_size=8)
            digest.update(str(classes[len(found)]).encode())
            found.append(digest.hexdigest())
    return tuple(found)


def _in_order(inputs: Inputs) -> Iterator[Batch]:
    for batch in inputs.batches(torch.split(torch.arange(len(inputs)), _BATCH)):
        yield map_batch(lambda tensor: tensor.cpu().contiguous(), batch)


def _named(batch: Batch) -> list[tuple[str, Tensor]]:
    """The tensors of a batch by name; the only tensor of images or vectors has an empty name."""
    return [("", batch)] if isinstance(batch, Tensor) else sorted(batch.items())


def _contents(batch: Batch) -> Iterator[bytes]:
    """The bytes of each sample of a batch; for tokens, without the padding at the end."""
    if isinstance(batch, Tensor):
        for sample in batch.numpy():
            yield sample.tobytes()
        return
    mask = batch["attention_mask"]
    ends = ((mask != 0) * torch.arange(1, mask.shape[1] + 1)).amax(1).tolist()
    for row, end in enumerate(ends):
        yield b"".join(
            name.encode() + tensor[row, :end].numpy().tobytes() for name, tensor in _named(batch)
        )
