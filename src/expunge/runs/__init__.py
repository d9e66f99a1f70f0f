"""Specs, ids, the store of artefacts and the record of the environment."""

from expunge.runs.code import code_version
from expunge.runs.environment import environment
from expunge.runs.files import (
    JSON,
    read_arrays,
    read_json,
    read_object,
    write_arrays,
    write_json,
)
from expunge.runs.spec import Spec
from expunge.runs.store import Artefact, Store, Summary

__all__ = [
    "JSON",
    "Artefact",
    "Spec",
    "Store",
    "Summary",
    "code_version",
    "environment",
    "read_arrays",
    "read_json",
    "read_object",
    "write_arrays",
    "write_json",
]
