"""Datasets on the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.sources.source import Role, Source
from expunge.data.spec import DataSpec

if TYPE_CHECKING:
    from expunge.types import Samples

_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?")


def load_from_hub(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """A dataset by its id, or its copy in the library's own cache.

    Raises:
        DataError: there is no such dataset, it cannot be reached, or it is not fit.
    """
    from expunge.data.cache import cached, decoding
    from expunge.data.hf_library import open_hub
    from expunge.data.huggingface import read_splits

    name = spec.name or " ".join(filter(None, (spec.source, spec.config)))
    splits = open_hub(spec.source, spec.config)
    prints = {split: each._fingerprint for split, each in splits.items()}
    key = {"hub": spec.source, "splits": prints, **decoding(spec)}
    return cached(cache, key, name, lambda aside: read_splits(splits, spec, aside, name))


def _is_id(source: str) -> bool:
    return bool(_ID.fullmatch(source)) and not Path(source).expanduser().exists()


SOURCE = Source(
    name="hub",
    form="a hub id",
    recognises=_is_id,
    load=load_from_hub,
    stamp=lambda source: source,
)
