"""Nodes, ids, the store of artefacts, and the records of code and environment."""

from expunge.runs.artefact import Artefact, checked, checked_if_any, read_artefact
from expunge.runs.code import code_digest, syntax_digest
from expunge.runs.environment import available_cores, environment
from expunge.runs.files import (
    JSON,
    create_json,
    read_arrays,
    read_document,
    read_json,
    read_object,
    write_arrays,
    write_document,
    write_json,
)
from expunge.runs.node import Node, is_id
from expunge.runs.store import Store, Summary

__all__ = [
    "JSON",
    "Artefact",
    "Node",
    "Store",
    "Summary",
    "available_cores",
    "checked",
    "checked_if_any",
    "code_digest",
    "create_json",
    "environment",
    "is_id",
    "read_arrays",
    "read_artefact",
    "read_document",
    "read_json",
    "read_object",
    "syntax_digest",
    "write_arrays",
    "write_document",
    "write_json",
]
