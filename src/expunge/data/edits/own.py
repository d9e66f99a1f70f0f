"""An edit of one's own, named by `package.module:name`: a function of arrays, or an `Edit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from expunge.callables import find_named, user_code
from expunge.data.edits.drawing import changed, ids_at
from expunge.data.edits.edit import Edit, Edited
from expunge.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from expunge.types import Inputs, Samples


@dataclass(frozen=True, kw_only=True)
class NoSettings:
    """A function of arrays has no settings; an `Edit` has those of its `config`."""


def is_own(name: str) -> bool:
    """Whether an edit's name is that of code of the user's."""
    return ":" in name


def own_edit(name: str) -> Edit:
    """The edit that `package.module:name` names.

    A function is called as `function(inputs, labels, seed)` with copies: inputs `(N, ...)` as they
    are stored, labels int64 `(N,)`. It returns the changed pair. What differs afterwards is what it
    touched.

    Raises:
        ConfigError: it cannot be imported, or is neither a function nor an `Edit`.
    """
    found = find_named(name, ConfigError)
    if isinstance(found, Edit):
        return replace(found, name=name)
    if not callable(found):
        raise ConfigError(
            f"{name!r} must be a function of inputs, labels and a seed, or an expunge.Edit, got "
            f"{type(found).__name__}"
        )
    return Edit(
        name=name,
        run=partial(_run, found),
        config=NoSettings,
        summary=f"an edit of your own, {name}",
        cite="",
    )


def _run(function: Callable[..., Any], samples: Samples, config: NoSettings, seed: int) -> Edited:
    """The samples with what `function` returns for their inputs and labels."""
    import numpy as np
    import torch

    name = f"the edit {getattr(function, '__qualname__', 'of your own')!r}"
    inputs = _array(samples.inputs, name)
    labels = samples.labels.numpy()
    with user_code(f"{name} raised", DataError):
        returned = function(inputs.copy(), labels.copy(), seed)
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise DataError(f"{name} must return inputs and labels, got {type(returned).__name__}")
    after = [
        _checked(np.asarray(each), before, f"{name}: {what}")
        for each, before, what in zip(returned, (inputs, labels), ("inputs", "labels"), strict=True)
    ]
    if after[1].min() < 0 or after[1].max() >= samples.num_classes:
        raise DataError(
            f"{name}: labels must be in 0..{samples.num_classes - 1}, got "
            f"{after[1].min()}..{after[1].max()}"
        )
    different = (after[0] != inputs).reshape(len(inputs), -1).any(1) | (after[1] != labels)
    index = torch.from_numpy(np.flatnonzero(different))
    if len(index) == 0:
        raise DataError(f"{name} changed none of {len(labels)} samples")
    edited = changed(
        samples, inputs=_inputs(samples.inputs, after[0]), labels=torch.from_numpy(after[1])
    )
    return Edited(edited, ids_at(samples, index))


def _array(inputs: Inputs, name: str) -> np.ndarray[Any, Any]:
    """All inputs in one array, as they are stored."""
    import torch

    (batch,) = inputs.batches([torch.arange(len(inputs))])
    if not isinstance(batch, torch.Tensor):
        raise DataError(f"{name}: expected images or vectors, got {inputs.kind}")
    return batch.cpu().numpy()


def _checked(
    array: np.ndarray[Any, Any], before: np.ndarray[Any, Any], what: str
) -> np.ndarray[Any, Any]:
    """A contiguous copy of an array that has the shape and dtype from before."""
    if (array.shape, array.dtype) != (before.shape, before.dtype):
        raise DataError(
            f"{what} must stay {before.dtype} of shape {before.shape}, got {array.dtype} of shape "
            f"{array.shape}"
        )
    if array.dtype.kind == "f":
        import numpy as np

        if broken := int((~np.isfinite(array)).reshape(len(array), -1).any(1).sum()):
            raise DataError(f"{what} of {broken} of {len(array)} samples are not finite")
    return array.copy()


def _inputs(before: Inputs, array: np.ndarray[Any, Any]) -> Inputs:
    import torch

    from expunge.data.inputs.images import ResidentImages
    from expunge.data.inputs.vectors import Vectors

    tensor = torch.from_numpy(array)
    return ResidentImages(tensor) if before.kind == "images" else Vectors(tensor)
