"""Datasets read by the Hugging Face library: from the Hub, parquet files or image folders."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from expunge.data.columns import LABEL_NAMES, table_of_columns
from expunge.data.decode import Encoded, decode_into, find_format
from expunge.data.identity import given_ids
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.sources import forms
from expunge.data.sources.source import Role
from expunge.data.spec import OF_IMAGES, DataSpec, refuse
from expunge.data.tables import Labels, Table, check_labels, join
from expunge.errors import ConfigError, DataError, some, unknown
from expunge.types import Samples

HfDataset = Any
"""`datasets.Dataset`: the library is optional, so this module does not import it."""

_IMAGE_NAMES = ("image", "img", "images", "pixel_values", "jpg", "png")
_TEST_NAMES = ("test", "validation", "valid", "val")
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of images, labels and ids."""

    image: str
    label: str
    id: str | None = None


def is_dataset(data: object) -> bool:
    """Whether `data` is one split of a Hugging Face dataset."""
    datasets = sys.modules.get("datasets")
    return datasets is not None and isinstance(data, datasets.Dataset)


def open_folder(folder: Path, config: str | None, scratch: Path) -> dict[str, HfDataset]:
    """The splits of a folder of parquet files or images; temporary files go to `scratch`.

    Raises:
        DataError: the folder holds no dataset, or a file in it is damaged.
    """
    datasets = _library()
    with _quiet(datasets):
        try:
            found = datasets.load_dataset(str(folder), config, cache_dir=str(scratch))
        except Exception as error:
            raise DataError(
                f"cannot read {folder} as a folder of parquet files or images: {_reason(error)}"
            ) from error
    return dict(found)


def open_hub(name: str, config: str | None) -> dict[str, HfDataset]:
    """The splits of a dataset on the Hub, or of its copy in the library's cache.

    Raises:
        DataError: the dataset does not exist, or cannot be reached or read.
    """
    datasets = _library()
    with _quiet(datasets), _offline_where_unreachable(datasets, name):
        try:
            found = datasets.load_dataset(name, config)
        except OSError as error:
            raise DataError(
                f"unknown dataset {name!r}: expected {forms()}; there is no such path, and the hub "
                f"says: {_reason(error)}"
            ) from error
        except Exception as error:
            raise DataError(f"cannot load {name!r} from the hub: {_reason(error)}") from error
    return dict(found)


def read_splits(
    splits: Mapping[str, HfDataset], spec: DataSpec, folder: Path, name: str
) -> dict[Role, Samples]:
    """Samples of the splits that have a role: images if a column has them, else other columns.

    Decoded images become files `ROLE.inputs.npy` in `folder`.

    Raises:
        DataError: a split or a column is missing or not valid.
    """
    chosen = {role: splits[split] for role, split in choose_splits(tuple(splits), spec).items()}
    if not _has_numbers(chosen["train"], spec):
        return join(decode_splits(chosen, spec, folder), name)
    refuse(spec, *OF_IMAGES)
    return join({role: _by_columns(chosen[role], role, spec) for role in chosen}, name)


def choose_splits(names: Sequence[str], spec: DataSpec) -> dict[Role, str]:
    """Which split is `train`, `test` and `validation`; the last two only if present.

    Raises:
        DataError: a requested split is missing, or no split can be used for training.
    """
    roles: dict[Role, str] = {}
    every: tuple[Role, ...] = ("train", "test", "validation")
    for role in every:
        asked = getattr(spec, f"{role}_split")
        if asked is not None:
            if asked not in names:
                raise DataError(f"{spec.source}: {unknown('split', asked, names)}")
            roles[role] = asked
    if "train" not in roles:
        if "train" not in names and len(names) > 1:
            raise DataError(
                f"{spec.source} has no split 'train': pass train_split, one of {', '.join(names)}"
            )
        roles["train"] = "train" if "train" in names else names[0]
    if "test" not in roles:
        free = [name for name in _TEST_NAMES if name in names and name not in roles.values()]
        if free:
            roles["test"] = free[0]
    if len(set(roles.values())) < len(roles):
        listed = ", ".join(f"{role} {name!r}" for role, name in sorted(roles.items()))
        raise ConfigError(f"train_split, test_split and validation_split must differ, got {listed}")
    return roles


def decode_splits(splits: dict[Role, HfDataset], spec: DataSpec, folder: Path) -> dict[Role, Table]:
    """Tables of the splits by role; images become files `ROLE.inputs.npy` in `folder`.

    All splits get one format: RGB if any image in any of them has colour.

    Raises:
        DataError: a column is missing or not valid, or an image cannot be decoded.
    """
    columns = {
        role: find_columns(split, spec, f"{spec.source}, split {role}")
        for role, split in splits.items()
    }
    sources = {
        role: _Encoded(split, columns[role].image, f"{spec.source}, split {role}")
        for role, split in splits.items()
    }
    formats = [
        find_format(source.chunks, spec.channels, spec.image_size, source.where)
        for source in sources.values()
    ]
    wanted = replace(formats[0], channels=max(one.channels for one in formats))
    tables: dict[Role, Table] = {}
    for role, split in splits.items():
        out = np.lib.format.open_memmap(
            folder / f"{role}.inputs.npy",
            mode="w+",
            dtype=np.uint8,
            shape=(len(split), wanted.channels, wanted.height, wanted.width),
        )
        # Labels and ids first: they are quick, and if they fail no time is lost on decoding.
        where, column = sources[role].where, columns[role].id
        labels, class_names = _labels(split, columns[role].label, where)
        ids = () if column is None else given_ids(_values(split, column), where)
        decode_into(out, sources[role].chunks(), wanted, where)
        images = StreamedImages(out)
        tables[role] = Table(images, labels, where=where, class_names=class_names, ids=ids)
    return tables


def table_of_dataset(dataset: HfDataset, *, where: str, ids: tuple[str, ...] = ()) -> Table:
    """The table of one split, in memory, with columns found by their types and names.

    Raises:
        DataError: a column of inputs or labels is missing, or an image cannot be decoded.
    """
    spec = DataSpec(source=where)
    if _has_numbers(dataset, spec):
        table = table_of_columns(_columns(dataset), spec, where, _class_names(dataset, spec))
        return replace(table, ids=ids or table.ids)
    columns = find_columns(dataset, spec, where)
    source = _Encoded(dataset, columns.image, where)
    wanted = find_format(source.chunks, None, None, where)
    out = np.empty((len(dataset), wanted.channels, wanted.height, wanted.width), np.uint8)
    labels, class_names = _labels(dataset, columns.label, where)
    decode_into(out, source.chunks(), wanted, where)
    images = ResidentImages(torch.from_numpy(out))
    return Table(images, labels, where=where, class_names=class_names, ids=ids)


def find_columns(dataset: HfDataset, spec: DataSpec, where: str) -> Columns:
    """The columns that the spec names, otherwise found by type, otherwise by a usual name.

    Raises:
        DataError: no column matches, or several do.
    """
    features = dataset.features
    found = {}
    for kind, type_name, usual in (
        ("image", "Image", _IMAGE_NAMES),
        ("label", "ClassLabel", LABEL_NAMES),
    ):
        asked = getattr(spec, f"{kind}_column")
        typed = [name for name, feature in features.items() if type(feature).__name__ == type_name]
        named = [name for name in usual if name in (typed or features)]
        if asked is not None:
            if asked not in features:
                raise DataError(f"{where}: {unknown('column', asked, features)}")
            found[kind] = asked
        elif len(typed) == 1 or named:
            found[kind] = typed[0] if len(typed) == 1 else named[0]
        else:
            raise DataError(
                f"{where}: cannot tell which column holds the {kind}s: "
                f"pass {kind}_column, one of {some(features)}"
            )
    if spec.id_column is not None and spec.id_column not in features:
        raise DataError(f"{where}: {unknown('column', spec.id_column, features)}")
    return Columns(image=found["image"], label=found["label"], id=spec.id_column)


def _has_numbers(dataset: HfDataset, spec: DataSpec) -> bool:
    """Whether the inputs are tokens or columns of numbers, not images."""
    features = dataset.features
    if spec.image_column is not None or any(
        type(feature).__name__ == "Image" or name in _IMAGE_NAMES
        for name, feature in features.items()
    ):
        return False
    others = {spec.label_column, spec.id_column, *LABEL_NAMES, "id"}
    return "input_ids" in features or any(
        getattr(feature, "dtype", "").startswith(("float", "int", "uint", "double"))
        for name, feature in features.items()
        if name not in others
    )


def _by_columns(split: HfDataset, role: Role, spec: DataSpec) -> Table:
    where = f"{spec.source}, split {role}"
    if split.info.builder_name == "csv":
        raise DataError(
            f"{spec.source}: CSV files in a folder must be called train.csv, test.csv and "
            "validation.csv, and are then read verbatim"
        )
    return table_of_columns(_columns(split), spec, where, _class_names(split, spec))


def _columns(dataset: HfDataset) -> dict[str, Any]:
    table = dataset.with_format("arrow")[:]
    return {name: table[name] for name in table.column_names}


def _class_names(dataset: HfDataset, spec: DataSpec) -> tuple[str, ...] | None:
    """The class names of the label column, if its type has them."""
    known = [name for name in LABEL_NAMES if name in dataset.features]
    feature = dataset.features.get(spec.label_column or next(iter(known), None))
    return tuple(feature.names) if type(feature).__name__ == "ClassLabel" else None


class _Encoded:
    """The encoded images of one column, in chunks; can be iterated several times."""

    def __init__(self, dataset: HfDataset, column: str, where: str) -> None:
        image = _library().Image(decode=False)
        try:
            self._rows = dataset.select_columns([column]).cast_column(column, image)
        except Exception as error:
            raise DataError(
                f"{where}: column {column!r} holds {dataset.features[column]}, not encoded images"
            ) from error
        self._column = column
        self.where = where

    def chunks(self) -> Iterator[list[Encoded]]:
        for table in self._rows.with_format("arrow").iter(_CHUNK):
            yield [
                None if cell is None else cell["bytes"] or _path(cell["path"])
                for cell in table[self._column].to_pylist()
            ]


def _path(path: str | None) -> Path | None:
    return None if path is None else Path(path)


def _labels(dataset: HfDataset, column: str, where: str) -> tuple[Labels, tuple[str, ...] | None]:
    where = f"{where}, column {column!r}"
    values = _values(dataset, column)
    missing = [row for row, value in enumerate(values) if value is None]
    if missing:
        raise DataError(f"{where}: rows without a label: {some(missing)}")
    feature = dataset.features[column]
    names = tuple(feature.names) if type(feature).__name__ == "ClassLabel" else None
    return check_labels(values, where), names


def _values(dataset: HfDataset, column: str) -> list[object]:
    table = dataset.select_columns([column]).with_format("arrow")[:]
    values: list[object] = table[column].to_pylist()
    return values


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            'this dataset needs the Hugging Face library `datasets`: pip install "expunge[hub]"'
        ) from error
    return datasets  # type: ignore[no-any-return]


@contextmanager
def _quiet(datasets: ModuleType) -> Iterator[None]:
    """Silence the library's progress bars and log for the block, then restore its settings."""
    bars = not datasets.are_progress_bars_disabled()
    level = datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)
        if bars:
            datasets.enable_progress_bars()


@contextmanager
def _offline_where_unreachable(datasets: ModuleType, name: str) -> Iterator[None]:
    """Use only the library's cache if the Hub does not respond, instead of long retries."""
    from huggingface_hub import HfApi

    before = datasets.config.HF_HUB_OFFLINE
    try:
        HfApi().dataset_info(name, timeout=10)
    except Exception as error:
        # A response means the Hub was reached; load_dataset then has the better message.
        if getattr(error, "response", None) is None:
            datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _reason(error: BaseException) -> str:
    cause = error.__cause__ if type(error).__name__ == "DatasetGenerationError" else None
    line = " ".join(str(cause or error).split())
    return line if len(line) <= 300 else f"{line[:300]}..."
