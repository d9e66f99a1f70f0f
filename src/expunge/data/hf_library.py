"""The Hugging Face library `datasets`: open a folder of parquet files, or a dataset of the Hub."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from expunge.data.sources import forms
from expunge.errors import DataError

HfDataset = Any
"""`datasets.Dataset`: the library is optional, so this module does not import it."""


def library() -> ModuleType:
    """The library.

    Raises:
        DataError: it is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            'this dataset needs the Hugging Face library `datasets`: pip install "expunge[hub]"'
        ) from error
    return datasets  # type: ignore[no-any-return]


def is_dataset(data: object) -> bool:
    """Whether `data` is one split of a Hugging Face dataset."""
    datasets = sys.modules.get("datasets")
    return datasets is not None and isinstance(data, datasets.Dataset)


def open_folder(
    folder: Path, config: str | None, scratch: Path
) -> tuple[dict[str, HfDataset], list[str]]:
    """The splits of a folder of parquet files, and the files in use; `scratch` is for its own.

    Raises:
        DataError: the folder holds no dataset, or a file in it is damaged.
    """
    datasets = library()
    with _quiet(datasets):
        try:
            builder = datasets.load_dataset_builder(str(folder), config, cache_dir=str(scratch))
            builder.download_and_prepare()
            found = builder.as_dataset()
        except Exception as error:
            raise DataError(
                f"cannot read {folder} as a folder of parquet files: {_reason(error)}"
            ) from error
    files = builder.config.data_files or {}
    return dict(found), [str(file) for split in files.values() for file in split]


def open_hub(name: str, config: str | None) -> dict[str, HfDataset]:
    """The splits of a dataset on the Hub, or of its copy in the library's cache.

    Raises:
        DataError: the dataset does not exist, or cannot be reached or read.
    """
    datasets = library()
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
