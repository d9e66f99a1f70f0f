"""From a `DataSpec` to a dataset: finds the source, reads it, holds out what is missing."""

import importlib
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image

from expunge.data.arrays import as_images, table_of
from expunge.data.cache import cached, default_cache, files_digest
from expunge.data.decode import Format, convert, fit, pixels
from expunge.data.huggingface import choose_splits, decode_splits, open_folder, open_hub
from expunge.data.identity import given_ids
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.spec import DataSpec
from expunge.data.splits import limited, stratified, subset
from expunge.data.tables import Table, check_labels, shared_classes, to_samples
from expunge.errors import ConfigError, DataError
from expunge.settings import derive_seed
from expunge.types import Dataset, Samples

_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?")
_BROKEN_NPZ = (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error)
_OF_COLUMNS = ("config", "image_column", "label_column", "id_column")
_OF_SPLITS = ("train_split", "test_split", "validation_split")
_OF_DECODING = ("image_size", "channels")


def load(spec: DataSpec, cache_dir: Path | None = None) -> Dataset:
    """The dataset of `spec`, its images on the CPU: in memory, or mapped from the cache's files.

    Decoded images are kept in `cache_dir`, otherwise in the folder that `EXPUNGE_CACHE` names,
    otherwise in `~/.cache/expunge/data`. The source's own files are only read.

    Raises:
        DataError: the source is not there, cannot be read, or does not fit together.
        ConfigError: a setting does not apply to this source.
    """
    path = Path(spec.source).expanduser()
    cache = cache_dir or default_cache()
    if spec.source == "digits":
        parts = _digits(spec, cache)
    elif path.is_dir():
        parts = _from_folder(spec, path, cache)
    elif path.suffix == ".npz":
        parts = _from_npz(spec, path)
    elif _CALLABLE.fullmatch(spec.source):
        parts = _from_callable(spec)
    elif _HUB_ID.fullmatch(spec.source) and not path.exists():
        parts = _from_hub(spec, cache)
    else:
        raise DataError(
            f"unknown dataset {spec.source!r}: expected digits, an existing folder of parquet "
            "files or images, an .npz file, package.module:callable or a hub id"
        )
    return _divide(parts, spec)


def _digits(spec: DataSpec, cache: Path) -> dict[str, Samples]:
    """1,797 grey 8x8 images of handwritten digits, embedded in scikit-learn."""
    _refuse(spec, (*_OF_COLUMNS, *_OF_SPLITS))
    name = spec.name or "digits"

    def build(aside: Path) -> dict[str, Samples]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        images = _conform(as_images(grey, "digits"), spec)
        np.save(aside / "train.inputs.npy", images.tensor.numpy())
        return _join({"train": Table(images, digits.target, where="digits")}, name)

    # Kept like other data: importing scikit-learn takes longer than reading the images.
    key = {"digits": version("scikit-learn"), **_decoding(spec)}
    return cached(cache, key, name, build)


def _from_folder(spec: DataSpec, folder: Path, cache: Path) -> dict[str, Samples]:
    name = spec.name or folder.resolve().name

    def build(aside: Path) -> dict[str, Samples]:
        scratch = aside / "scratch"
        parts = _decode(open_folder(folder, spec.config, scratch), spec, aside, name)
        shutil.rmtree(scratch, ignore_errors=True)
        return parts

    return cached(cache, {"files": files_digest(folder), **_decoding(spec)}, name, build)


def _from_hub(spec: DataSpec, cache: Path) -> dict[str, Samples]:
    name = spec.name or " ".join(filter(None, (spec.source, spec.config)))
    splits = open_hub(spec.source, spec.config)
    prints = {split: each._fingerprint for split, each in splits.items()}
    key = {"hub": spec.source, "splits": prints, **_decoding(spec)}
    return cached(cache, key, name, lambda aside: _decode(splits, spec, aside, name))


def _decode(
    splits: Mapping[str, Any], spec: DataSpec, aside: Path, name: str
) -> dict[str, Samples]:
    roles = choose_splits(tuple(splits), spec)
    chosen = {role: splits[split] for role, split in roles.items()}
    return _join(decode_splits(chosen, spec, aside), name)


def _decoding(spec: DataSpec) -> dict[str, object]:
    """All that decoded images depend on besides the files."""
    settings = (*_OF_COLUMNS, *_OF_SPLITS, *_OF_DECODING)
    return {"pillow": PIL.__version__, **{each: getattr(spec, each) for each in settings}}


def _from_npz(spec: DataSpec, path: Path) -> dict[str, Samples]:
    """Arrays `x_train` and `y_train`, and perhaps `x_test`, `y_test`, `ids_train`, `ids_test`."""
    _refuse(spec, (*_OF_COLUMNS, *_OF_SPLITS))
    if not path.is_file():
        raise DataError(f"there is no file {path}: expected an .npz file with x_train and y_train")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = dict(file)
    except _BROKEN_NPZ as error:
        raise DataError(f"cannot read {path} as an .npz file of plain arrays: {error}") from error
    tables = {}
    for role in ("train", "test"):
        images, labels = arrays.get(f"x_{role}"), arrays.get(f"y_{role}")
        if images is None and labels is None and role == "test":
            continue
        if images is None or labels is None:
            raise DataError(
                f"{path} needs the arrays x_{role} and y_{role}, has {', '.join(sorted(arrays))}"
            )
        where = f"{path}, {role}"
        ids = arrays.get(f"ids_{role}")
        tables[role] = Table(
            _conform(as_images(images, where), spec),
            check_labels(labels, where),
            where=where,
            ids=() if ids is None else given_ids(ids.tolist(), where),
        )
    return _join(tables, spec.name or path.stem)


def _from_callable(spec: DataSpec) -> dict[str, Samples]:
    """A `Dataset`, or a pair (train, test) of what `as_samples` takes."""
    _refuse(spec, (*_OF_COLUMNS, *_OF_SPLITS, *_OF_DECODING))
    module_name, _, attribute = spec.source.partition(":")
    try:
        make = importlib.import_module(module_name)
        for part in attribute.split("."):
            make = getattr(make, part)
    except (ImportError, AttributeError) as error:
        raise DataError(f"cannot import {spec.source!r}: {_line(error)}") from error
    if not callable(make):
        raise DataError(f"{spec.source!r} must be callable, got {type(make).__name__}")
    try:
        made = make()
    except Exception as error:
        raise DataError(f"{spec.source!r} raised {type(error).__name__}: {_line(error)}") from error
    name = spec.name or spec.source
    if isinstance(made, Dataset):
        parts = {"train": made.train, "test": made.test, "validation": made.validation}
        return {role: samples for role, samples in parts.items() if samples is not None}
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise DataError(
            f"{spec.source!r} must return a Dataset or a pair (train, test), "
            f"got {type(made).__name__}"
        )
    given = dict(zip(("train", "test"), made, strict=True))
    if all(isinstance(data, Samples) for data in given.values()):
        return given
    return _join(
        {role: table_of(data, where=f"{spec.source}, {role}") for role, data in given.items()}, name
    )


def _join(tables: Mapping[str, Table], name: str) -> dict[str, Samples]:
    """Samples of all tables with the same classes."""
    classes, class_names = shared_classes(tuple(tables.values()))
    return {role: to_samples(table, classes, class_names, name) for role, table in tables.items()}


def _divide(parts: Mapping[str, Samples], spec: DataSpec) -> Dataset:
    """Holds out what is asked for and not there, then keeps the numbers asked for."""
    train, test, validation = parts["train"], parts.get("test"), parts.get("validation")
    for other in (test, validation):
        if other is None:
            continue
        if other.class_names != train.class_names or other.inputs.shape != train.inputs.shape:
            raise DataError(
                f"{spec.source}: training images {train.inputs.shape} of {train.num_classes} "
                f"classes do not fit {other.inputs.shape} of {other.num_classes} classes: "
                "both need the same shape and class names"
            )
    held_out = []
    if test is None:
        train, test = _hold_out(train, spec.test_fraction, spec, "test")
        held_out.append("test")
    if spec.validation_fraction:
        if validation is not None:
            raise ConfigError(
                f"{spec.source} has validation samples: leave validation_fraction out"
            )
        train, validation = _hold_out(train, spec.validation_fraction, spec, "validation")
        held_out.append("validation")
    return Dataset(
        train=_limit(train, spec.train_limit, spec, "train limit"),
        test=_limit(test, spec.test_limit, spec, "test limit"),
        validation=validation,
        held_out=tuple(held_out),
    )


def _hold_out(
    samples: Samples, fraction: float, spec: DataSpec, purpose: str
) -> tuple[Samples, Samples]:
    kept, held_out = stratified(samples.labels, fraction, derive_seed(spec.seed, purpose))
    if not len(kept) or not len(held_out):
        raise DataError(
            f"{spec.source}: {len(samples)} samples are too few to hold out {fraction:g} of every "
            f"class for {purpose}"
        )
    return subset(samples, kept), subset(samples, held_out)


def _limit(samples: Samples, count: int | None, spec: DataSpec, purpose: str) -> Samples:
    if count is None:
        return samples
    return subset(samples, limited(samples.labels, count, derive_seed(spec.seed, purpose)))


def _conform(
    images: ResidentImages | StreamedImages, spec: DataSpec
) -> ResidentImages | StreamedImages:
    """Images with the channels and size that the spec asks for."""
    if spec.image_size is None and spec.channels in (None, images.shape[0]):
        return images
    array = images.tensor.numpy()
    if array.dtype != np.uint8:
        raise DataError(
            f"{spec.source}: image_size and channels change images of uint8 only, "
            f"got {array.dtype}: leave them out, and change the arrays themselves"
        )
    channels, height, width = images.shape
    wanted = Format(
        channels=spec.channels or (3 if channels == 3 else 1),
        height=spec.image_size or height,
        width=spec.image_size or width,
        cut=True,
    )
    out = np.empty((len(array), wanted.channels, wanted.height, wanted.width), np.uint8)
    for row, image in enumerate(array):
        plane = image[0] if channels == 1 else image.transpose(1, 2, 0)
        out[row] = pixels(fit(convert(Image.fromarray(plane), wanted.channels), wanted))
    return ResidentImages(torch.from_numpy(out))


def _refuse(spec: DataSpec, settings: tuple[str, ...]) -> None:
    given = [each for each in settings if getattr(spec, each) is not None]
    if given:
        raise ConfigError(f"{', '.join(given)} cannot be used with {spec.source!r}: leave it out")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
