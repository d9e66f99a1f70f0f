"""Samples from arrays, tensors and datasets in memory."""

import math
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
from expunge.data.hf_library import is_dataset
from expunge.data.huggingface import table_of_dataset
from expunge.data.identity import given_ids
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.inputs.tokens import Tokens
from expunge.data.inputs.vectors import Vectors
from expunge.data.tables import Table, check_labels, shared_classes, to_samples
from expunge.errors import DataError
from expunge.settings import InputKind
from expunge.types import Inputs, Samples

_DARK = 127
"""Images whose pixels are all of this or less may not be pixels in 0-255."""
_TOLERANCE = 1e-3
"""How far floats may be outside 0-1: resizing overshoots a little."""

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
    raw_pixels: bool = False,
) -> Samples:
    """Samples from a pair (inputs, labels), a torch Dataset or a Hugging Face dataset.

    Images `(N, C, H, W)`, `(N, H, W, C)` or `(N, H, W)` are integers in 0-255, or floats in 0-1;
    with `raw_pixels` any floats, which the network then takes as they are. Vectors are numbers
    `(N, D)`; tokens are a dict of integers `(N, L)`, `input_ids` and `attention_mask`. Integer
    labels are kept, because they index the network's outputs; text labels are numbered by
    `class_names`, otherwise in sorted order, as numbers if all are. Without `ids`, the ids are
    hashes of the inputs. `Samples` are returned unchanged.

    Raises:
        DataError: the data is of another kind, empty, or not consistent.
    """
    if isinstance(data, Samples):
        return data
    table = table_of(data, where=name, ids=ids, raw_pixels=raw_pixels)
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


def table_of(
    data: Data, *, where: str, ids: Sequence[str] | None = None, raw_pixels: bool = False
) -> Table:
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
    found = as_inputs(inputs, where, raw_pixels=raw_pixels)
    return Table(
        found, check_labels(labels, where), where=where, ids=names, notes=pixel_notes(found)
    )


def as_inputs(
    inputs: np.ndarray[Any, Any] | Tensor | Mapping[str, np.ndarray[Any, Any] | Tensor],
    where: str,
    *,
    raw_pixels: bool = False,
) -> Inputs:
    """Tokens from a mapping, vectors from a two-dimensional array, images from others.

    Raises:
        DataError: the inputs are not valid.
    """
    if isinstance(inputs, Mapping):
        return as_tokens(inputs, where)
    if isinstance(inputs, Tensor) and inputs.layout != torch.strided:
        raise DataError(f"{where}: expected an array or a dense tensor, got {inputs.layout}")
    if inputs.ndim == 2:
        return as_vectors(inputs, where)
    return as_images(inputs, where, raw_pixels=raw_pixels)


def pixel_notes(inputs: Inputs) -> tuple[str, ...]:
    """That the images are dark, which they are if pixels were not scaled to 0-255."""
    if not isinstance(inputs, ResidentImages) or inputs.dtype != torch.uint8:
        return ()
    highest = int(inputs.tensor.max())
    if highest > _DARK:
        return ()
    return (f"the largest pixel is {highest}: integers are read as 0-255, so the images are dark",)


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


def as_images(
    images: np.ndarray[Any, Any] | Tensor, where: str, *, raw_pixels: bool = False
) -> ResidentImages | StreamedImages:
    """Images from an array of `(N, C, H, W)`, `(N, H, W, C)` or `(N, H, W)`, shared if it can be.

    Raises:
        DataError: another shape, no images, or values that are neither integers in 0-255 nor,
            unless `raw_pixels`, floats in 0-1.
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
    return ResidentImages(_as_pixels(tensor, where, raw_pixels).contiguous())


def _channel_axis(shape: tuple[int, ...]) -> int | None:
    """1 for channels first, which is preferred if both are possible; 3 for channels last."""
    if len(shape) == 3 or shape[1] in (1, 3):
        return 1
    return 3 if shape[3] in (1, 3) else None


def _as_pixels(tensor: Tensor, where: str, raw_pixels: bool) -> Tensor:
    """Images as uint8 or float32, their values checked."""
    if tensor.dtype == torch.uint8:
        return tensor
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_floating_point():
        return _as_floats(tensor.to(torch.float32), dtype, where, raw_pixels)
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise DataError(f"{where}: expected images of integers in 0-255 or floats, got {dtype}")
    low, high = map(int, torch.aminmax(tensor.to(torch.int64)))
    if low < 0 or high > 255:
        raise DataError(
            f"{where}: expected images of integers in 0-255 or floats in 0-1, got {dtype} in "
            f"{low} to {high}: scale them, or, if these are tokens, name them input_ids"
        )
    if high <= _DARK:
        raise DataError(
            f"{where}: {dtype} in {low} to {high} may be no pixels in 0-255: convert pixels to "
            "uint8; name tokens input_ids; give other numbers as vectors (N, D)"
        )
    return tensor.to(torch.uint8)


def _as_floats(tensor: Tensor, dtype: str, where: str, raw_pixels: bool) -> Tensor:
    low, high = math.inf, -math.inf
    for start in range(0, len(tensor), 1024):
        batch = tensor[start : start + 1024]
        good = torch.isfinite(batch).flatten(1).all(1)
        if not good.all():
            row = start + int((~good).nonzero()[0])
            raise DataError(f"{where}, row {row}: the image has values that are not finite")
        low, high = min(low, float(batch.min())), max(high, float(batch.max()))
    if not raw_pixels and (low < -_TOLERANCE or high > 1 + _TOLERANCE):
        raise DataError(
            f"{where}: expected images of floats in 0-1, got {dtype} in {low:.4g} to {high:.4g}: "
            "scale them; if the network takes them as they are, set raw_pixels (in Python "
            "expunge.data.arrays.as_samples(..., raw_pixels=True))"
        )
    return tensor


def _from_numpy(array: np.ndarray[Any, Any], where: str, kind: InputKind) -> Tensor:
    """A tensor that shares memory where it can; it knows few of NumPy's types."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected {kind} of numbers, got an array of {array.dtype}")
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise DataError(f"{where}: expected {kind} without gaps, got a masked array")
    if array.dtype.kind == "f" and array.dtype.itemsize > np.dtype(np.float64).itemsize:
        array = array.astype(np.float64)
    elif array.dtype.kind == "u" and array.dtype.itemsize > 1:
        if array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise DataError(f"{where}: {kind} hold {array.max()}, which no int64 holds")
        array = array.astype(np.int64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
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
