"""Samples from arrays, tensors and datasets in memory."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from expunge.data.classes import class_notes
from expunge.data.decode import convert, has_colour, pixels
from expunge.data.huggingface import is_dataset, table_of_dataset
from expunge.data.identity import given_ids
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.inputs.tokens import Tokens
from expunge.data.inputs.vectors import Vectors
from expunge.data.tables import Table, check_labels, shared_classes, to_samples
from expunge.errors import DataError
from expunge.settings import InputKind
from expunge.types import Inputs, Samples

Data = Any
"""What `as_samples` takes; of a class that it has to look at first."""

_EXPECTED = (
    "a pair (images, labels) of arrays or tensors, with vectors or a dict of token arrays in the "
    "place of images, a torch Dataset with a length, or one split of a Hugging Face dataset"
)


def as_samples(
    data: Data,
    *,
    ids: Sequence[str] | None = None,
    name: str = "data",
    class_names: Sequence[str] | None = None,
) -> Samples:
    """Samples from a pair (inputs, labels), a torch Dataset or a Hugging Face dataset.

    Images are uint8 `(N, C, H, W)`, `(N, H, W, C)` or `(N, H, W)`, or float32 as the network
    takes them; vectors are numbers `(N, D)`; tokens are a dict of integers `(N, L)`, `input_ids`
    and `attention_mask`. Integer labels are kept, because they index the network's outputs; text
    labels are numbered by `class_names`, otherwise in sorted order, as numbers if all are. Without
    `ids`, the ids are hashes of the inputs. `Samples` are returned unchanged.

    Raises:
        DataError: the data is of another kind, empty, or not consistent.
    """
    if isinstance(data, Samples):
        return data
    table = table_of(data, where=name, ids=ids)
    if class_names is None:
        classes, names = shared_classes([table])
    else:
        names = tuple(class_names)
        is_text = table.labels.dtype.kind == "U"
        classes = np.asarray(names) if is_text else np.arange(len(names))
    samples = to_samples(table, classes, names, name)
    # A test set may lack classes, and is then given the names of the training data.
    notes = class_notes(samples) if class_names is None else ()
    return replace(samples, notes=(*samples.notes, *notes))


def table_of(data: Data, *, where: str, ids: Sequence[str] | None = None) -> Table:
    """Inputs and raw labels of anything that `as_samples` takes, except `Samples`.

    Raises:
        DataError: the data is of another kind, empty, or not consistent.
    """
    names = () if ids is None else given_ids(ids, where)
    if is_dataset(data):
        return table_of_dataset(data, where=where, ids=names)
    if isinstance(data, tuple | list) and len(data) == 2 and _are_inputs(data[0]):
        inputs, labels = data
    elif _is_map_style(data):
        inputs, labels = _collect(data, where)
    else:
        raise DataError(f"{where}: expected {_EXPECTED}, got {type(data).__name__}")
    if isinstance(labels, Tensor):
        labels = labels.cpu().numpy()
    return Table(as_inputs(inputs, where), check_labels(labels, where), where=where, ids=names)


def as_inputs(
    inputs: np.ndarray[Any, Any] | Tensor | Mapping[str, np.ndarray[Any, Any] | Tensor], where: str
) -> Inputs:
    """Tokens from a mapping, vectors from a two-dimensional array, images from others.

    Raises:
        DataError: the inputs are not valid.
    """
    if isinstance(inputs, Mapping):
        return as_tokens(inputs, where)
    return as_vectors(inputs, where) if inputs.ndim == 2 else as_images(inputs, where)


def as_vectors(vectors: np.ndarray[Any, Any] | Tensor, where: str) -> Vectors:
    """Vectors from numbers `(N, D)`, shared if they are float32.

    Raises:
        DataError: another shape, values that are not finite numbers, or no vectors.
    """
    shape = tuple(vectors.shape)
    if len(shape) != 2 or 0 in shape:
        raise DataError(f"{where}: expected vectors of shape (N, D), got {shape}")
    tensor = vectors if isinstance(vectors, Tensor) else _from_numpy(vectors, where, "vectors")
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise DataError(f"{where}: expected vectors of numbers, got {tensor.dtype}")
    tensor = tensor.detach().to(torch.float32).contiguous()
    bad = (~torch.isfinite(tensor)).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        raise DataError(f"{where}, row {row}: number {column} of the vector is not finite")
    return Vectors(tensor)


def as_tokens(tokens: Mapping[str, np.ndarray[Any, Any] | Tensor], where: str) -> Tokens:
    """Tokens from integers `(N, L)` by name.

    Raises:
        DataError: `input_ids` or `attention_mask` is missing or not of integers, or they do not
            fit together.
    """
    tensors = {}
    for name, given in tokens.items():
        tensor = given if isinstance(given, Tensor) else _from_numpy(given, where, "tokens")
        if tensor.is_floating_point() or tensor.is_complex():
            raise DataError(f"{where}: {name} must be integers, got {tensor.dtype}")
        tensors[name] = tensor.detach().to(torch.int64)
    try:
        return Tokens(tensors)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def as_images(images: np.ndarray[Any, Any] | Tensor, where: str) -> ResidentImages | StreamedImages:
    """Images from an array of `(N, C, H, W)`, `(N, H, W, C)` or `(N, H, W)`, shared if it can be.

    Raises:
        DataError: another shape, values that are not pixels, or no images.
    """
    shape = tuple(images.shape)
    if len(shape) not in (3, 4) or not _channel_axis(shape):
        raise DataError(
            f"{where}: expected images of shape (N, C, H, W), (N, H, W, C) or (N, H, W) with "
            f"1 or 3 channels, got {shape}"
        )
    if 0 in shape:
        raise DataError(f"{where} is empty: images have the shape {shape}")
    if isinstance(images, np.memmap) and images.dtype == np.uint8 and _channel_axis(shape) == 1:
        return StreamedImages(images if images.ndim == 4 else images[:, None])
    tensor = images if isinstance(images, Tensor) else _from_numpy(images, where, "images")
    tensor = tensor.detach()
    if tensor.ndim == 3:
        tensor = tensor.unsqueeze(1)
    elif _channel_axis(shape) == 3:
        tensor = tensor.permute(0, 3, 1, 2)
    return ResidentImages(_as_pixels(tensor, where).contiguous())


def _channel_axis(shape: tuple[int, ...]) -> int | None:
    """1 for channels first, which is preferred if both are possible; 3 for channels last."""
    if len(shape) == 3 or shape[1] in (1, 3):
        return 1
    return 3 if shape[3] in (1, 3) else None


def _as_pixels(tensor: Tensor, where: str) -> Tensor:
    if tensor.dtype == torch.uint8:
        return tensor
    if tensor.is_floating_point():
        for start in range(0, len(tensor), 1024):
            good = torch.isfinite(tensor[start : start + 1024]).flatten(1).all(1)
            if not good.all():
                row = start + int((~good).nonzero()[0])
                raise DataError(f"{where}, row {row}: the image has values that are not finite")
        return tensor.to(torch.float32)
    low, high = (0, 1) if tensor.dtype == torch.bool else map(int, torch.aminmax(tensor))
    if tensor.dtype == torch.bool or low < 0 or high > 255:
        raise DataError(
            f"{where}: expected images of uint8 in 0..255 or of float32, "
            f"got {str(tensor.dtype).removeprefix('torch.')} in {low}..{high}"
        )
    return tensor.to(torch.uint8)


def _from_numpy(array: np.ndarray[Any, Any], where: str, kind: InputKind) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected {kind} of numbers, got an array of {array.dtype}")
    with warnings.catch_warnings():
        # A read-only array can be shared, because samples are never written to.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.from_numpy(np.ascontiguousarray(array))


def _are_inputs(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(each, np.ndarray | Tensor) for each in value.values())
    return isinstance(value, np.ndarray | Tensor) and value.ndim > 1


def _is_map_style(data: object) -> bool:
    sized = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    return sized and not isinstance(data, str | bytes | dict | np.ndarray | Tensor)


def _collect(data: Data, where: str) -> tuple[np.ndarray[Any, Any], list[object]]:
    """All items (image, label) of a map-style dataset, in one array and a list."""
    count = len(data)
    if count == 0:
        raise DataError(f"{where} is empty: expected at least one item")
    first, _ = _item(data[0], f"{where}, row 0")
    images = np.empty((count, *first.shape), first.dtype)
    labels: list[object] = []
    for row in range(count):
        image, label = _item(data[row], f"{where}, row {row}")
        if image.shape != images.shape[1:]:
            raise DataError(
                f"{where}, row {row}: the image has the shape {image.shape} but the first "
                f"{images.shape[1:]}: resize them to one size"
            )
        images[row] = image
        labels.append(label)
    return images, labels


def _item(item: object, where: str) -> tuple[np.ndarray[Any, Any], object]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{where}: expected an item (image, label), got {type(item).__name__}")
    image, label = item
    if hasattr(label, "item"):
        label = label.item()
    if isinstance(image, Image.Image):
        try:
            return pixels(convert(image, 3 if has_colour(image) else 1)), label
        except DataError as error:
            raise DataError(f"{where}: {error}") from None
    if isinstance(image, Tensor):
        return image.detach().cpu().numpy(), label
    if isinstance(image, np.ndarray):
        return image, label
    raise DataError(
        f"{where}: expected an image as tensor, array or PIL image, got {type(image).__name__}"
    )
