"""Folders as the library `transformers` writes them: read their weights, and write them again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from expunge.errors import CheckpointError, line_of, some
from expunge.models.huggingface import transformers
from expunge.models.spec import ModelSpec
from expunge.models.weights import Loaded, load_state

PREPROCESSOR = "preprocessor_config.json"
_WEIGHTS = ("*.safetensors", "*.bin", "*.index.json")
_BESIDE = (
    PREPROCESSOR,
    "processor_config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
)
"""What belongs to a network's inputs: image processors and tokenizers."""


def weight_files(folder: Path) -> list[Path]:
    """The files with weights in a folder, and their index; sorted.

    Raises:
        CheckpointError: there are none.
    """
    found = sorted({path for pattern in _WEIGHTS for path in folder.glob(pattern)})
    if not found:
        raise CheckpointError(
            f"the folder {folder} holds no weights: expected model.safetensors, "
            "pytorch_model.bin or an index of several, as save_pretrained writes them"
        )
    return found


def normalisation_in(folder: Path) -> dict[str, list[float]] | Literal["off"] | None:
    """The normalisation that a folder's image processor does, for images in [0, 1].

    `off` if it does none; None without a processor, or if it scales images in another way.

    Raises:
        CheckpointError: the processor's file cannot be read.
    """
    path = folder / PREPROCESSOR
    if not path.is_file():
        return None
    # The library writes null for what is left to its default.
    found = {name: value for name, value in _read(path).items() if value is not None}
    try:
        factor = float(found.get("rescale_factor", 1 / 255)) if found.get("do_rescale", True) else 1
        if abs(factor * 255 - 1) > 1e-3:
            return None
        if not found.get("do_normalize", "image_mean" in found):
            return "off"
        mean, std = found.get("image_mean"), found.get("image_std")
        if not (isinstance(mean, list) and isinstance(std, list)):
            return None
        return {"mean": [float(value) for value in mean], "std": [float(value) for value in std]}
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: expected numbers: {error}") from error


def load_pretrained(
    model: nn.Module, folder: str | os.PathLike[str], class_names: Sequence[str]
) -> Loaded:
    """Load the weights in `folder` into the library's network inside `model`, which `build` made.

    The library finds the files, and translates names that it has changed since.

    Raises:
        CheckpointError: the folder cannot be read, its weights are those of another network, or
            its classes are those of the data in another order.
    """
    folder = Path(folder)
    weight_files(folder)
    network = _network(model, f"--weights {folder}")
    library = transformers(f"--weights {folder}")
    _check_order(network, class_names, folder)
    try:
        with _quiet(library):
            loaded, found = type(network).from_pretrained(
                folder,
                config=network.config,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation="eager",
            )
    except Exception as error:
        raise CheckpointError(f"cannot read the weights in {folder}: {line_of(error)}") from error
    faults = []
    if missing := sorted(found["missing_keys"]):
        faults.append(f"missing {some(missing)}")
    if misfits := [
        f"{name} (expected {tuple(expected)}, got {tuple(given)})"
        for name, given, expected in sorted(found["mismatched_keys"])
    ]:
        faults.append(f"not fitting {some(misfits)}")
    if faults or found["error_msgs"]:
        raise CheckpointError(
            f"{folder} holds the weights of another network: "
            f"{'; '.join((*faults, *map(str, found['error_msgs'])))}"
        )
    state = dict(model.state_dict())
    state |= {f"network.{name}": tensor for name, tensor in loaded.state_dict().items()}
    load_state(model, state, str(folder))
    rest = sorted(found["unexpected_keys"])
    notes = (f"not used from {folder}: {some(rest)}",) if rest else ()
    return Loaded(notes, inner=True)


def save_pretrained(
    model: nn.Module, spec: ModelSpec, folder: str | os.PathLike[str]
) -> tuple[str, ...]:
    """Write the library's network inside `model` into `folder`, for `from_pretrained`.

    Files of tokenizers and image processors are copied from the folder that the network was built
    from. Returns notes for people.

    Raises:
        CheckpointError: the network is not one of the library, or cannot be written.
    """
    folder = Path(folder)
    network = _network(model, spec.name)
    library = transformers(spec.name)
    try:
        with _quiet(library):
            network.save_pretrained(folder)
        source = Path(spec.name.partition(":")[2])
        beside = sorted({path for pattern in _BESIDE for path in source.glob(pattern)})
        copied = [path.name for path in beside if path.is_file()]
        for name in copied:
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error.strerror or error}") from error
    notes = [f"copied from {source}: {some(copied)}"] if copied else []
    if not copied and spec.input_kind == "tokens":
        notes.append(f"no tokenizer was found at {source}: take that of the original model")
    if spec.mean is not None and spec.std is not None:
        notes += _say_normalisation(folder, spec.mean, spec.std)
    return tuple(notes)


def _say_normalisation(
    folder: Path, mean: tuple[float, ...], std: tuple[float, ...]
) -> Iterator[str]:
    """Put the normalisation that `build` put before the network into its image processor."""
    wanted = {"mean": list(mean), "std": list(std)}
    shown = " and ".join(f"{name} {values}" for name, values in wanted.items())
    if not (folder / PREPROCESSOR).exists():
        yield f"there is no image processor: the network expects images normalised by {shown}"
    elif normalisation_in(folder) != wanted:
        changed = {
            **_read(folder / PREPROCESSOR),
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": wanted["mean"],
            "image_std": wanted["std"],
        }
        (folder / PREPROCESSOR).write_text(json.dumps(changed, indent=2) + "\n", "utf-8")
        yield f"{PREPROCESSOR} was changed to what the network expects: {shown}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} must hold an object, got {type(found).__name__}")
    return found


def _network(model: nn.Module, what: str) -> Any:
    """The library's network inside a model."""
    network = dict(model.named_children()).get("network")
    if network is None or not hasattr(network, "save_pretrained"):
        raise CheckpointError(
            f"{what} names a folder, which is for networks of the library transformers: use "
            "--model hf:FOLDER, or name a file"
        )
    return network


def _check_order(network: Any, class_names: Sequence[str], folder: Path) -> None:
    """Refuse a network whose configuration names the same classes in another order."""
    labels: Mapping[int, str] = network.config.id2label
    order = [str(labels[number]) for number in sorted(labels)]
    if order != list(class_names) and sorted(order) == sorted(class_names):
        raise CheckpointError(
            f"the classes of {folder} are {some(order, 5)}, those of the data in another order: "
            f"{some(class_names, 5)}; expected the same order"
        )


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """Without the library's own progress and reports: what they say is said here."""
    logging = library.utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
