"""What tells samples, and whole datasets, apart: ids and fingerprints."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from expunge.errors import DataError, some
from expunge.types import Inputs

_BATCH = 1024


def content_ids(images: Inputs) -> tuple[str, ...]:
    """An id of every image: 16 hex digits of the hash of its shape and bytes.

    The second of several identical images gets `-1` after it, the third `-2`, and so on.
    """
    seen: Counter[str] = Counter()
    ids = []
    shape = repr(images.shape).encode()
    for batch in _in_order(images):
        for image in batch.numpy():
            digest = hashlib.blake2b(shape, digest_size=8)
            digest.update(image.tobytes())
            name = digest.hexdigest()
            ids.append(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return tuple(ids)


def given_ids(values: Sequence[object], where: str) -> tuple[str, ...]:
    """The ids of a column, as text.

    Raises:
        DataError: an id is missing, or given twice.
    """
    missing = [row for row, value in enumerate(values) if value is None or str(value) == ""]
    if missing:
        raise DataError(f"{where}: rows without an id: {some(missing)}")
    ids = tuple(str(value) for value in values)
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"{where}: {len(twice)} ids are given more than once: {some(twice)}")
    return ids


def fingerprint(
    images: Inputs, labels: Tensor, ids: Iterable[str], class_names: Iterable[str]
) -> str:
    """Hex digest of all that samples are: images, labels, ids and class names."""
    digest = hashlib.blake2b(repr(images.shape).encode(), digest_size=16)
    for batch in _in_order(images):
        digest.update(str(batch.dtype).encode())
        digest.update(batch.numpy().data)
    digest.update(labels.numpy().data)
    for names in (ids, class_names):
        digest.update(repr(tuple(names)).encode())
    return digest.hexdigest()


def _in_order(images: Inputs) -> Iterable[Tensor]:
    for batch in images.batches(torch.split(torch.arange(len(images)), _BATCH)):
        yield batch.cpu().contiguous()


def sample_digests(inputs: Inputs, labels: Tensor) -> tuple[str, ...]:
    """16 hex digits for every sample: the hash of its input's bytes and its label."""
    found: list[str] = []
    classes = labels.tolist()
    for batch in _in_order(inputs):
        for each in batch.numpy():
            digest = hashlib.blake2b(each.tobytes(), digest_size=8)
            digest.update(str(classes[len(found)]).encode())
            found.append(digest.hexdigest())
    return tuple(found)
