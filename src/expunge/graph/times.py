"""How long the nodes of a store took, to estimate how long others may take."""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any

from expunge.runs import Node, Store

_log = logging.getLogger(__name__)

_TIMES = "times.jsonl"
_ENTRIES = ("method", "pruner", "metric", "population")


def note_time(store: Store, node: Node, seconds: float) -> None:
    """Append a node's seconds to the store's times; a store that cannot be written is ignored."""
    said = {"node": next(_keys(node)), "seconds": round(seconds, 4)}
    line = json.dumps({**said, "crc32": _check(said)}) + "\n"
    try:
        # A single short append, so that lines of several processes do not mix.
        descriptor = os.open(store.root / _TIMES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError:
        return


def estimate(store: Store, nodes: Iterable[Node]) -> dict[str, float | None]:
    """Seconds that each node may take, by id: the median over the most similar nodes in the store.

    These are nodes of the same kind and entry on the same original model or data, else of the same
    kind and entry, else of the same kind; None without any.
    """
    known: dict[str, list[float]] = {}
    for key, seconds in _lines(store):
        parts = key.split("|")
        for depth in range(1, len(parts) + 1):
            known.setdefault("|".join(parts[:depth]), []).append(seconds)
    medians = {key: median(times) for key, times in known.items()}
    return {
        node.id: next((medians[key] for key in _keys(node) if key in medians), None)
        for node in nodes
    }


def _keys(node: Node) -> Iterator[str]:
    """Keys of similar nodes, most similar first."""
    entry = next((str(node.params[name]) for name in _ENTRIES if name in node.params), "")
    origin = node.parents.get("origin") or node.parents.get("data") or ""
    yield f"{node.kind}|{entry}|{origin}"
    yield f"{node.kind}|{entry}"
    yield node.kind


def _lines(store: Store) -> Iterator[tuple[str, float]]:
    try:
        text = (store.root / _TIMES).read_text("utf-8", errors="replace")
    except OSError:
        return
    damaged = 0
    for line in text.splitlines():
        try:
            found = json.loads(line)
            check = found.pop("crc32", None)
            # Lines of earlier versions have no check.
            if found.keys() == {"node", "seconds"} and check in (None, _check(found)):
                yield str(found["node"]), float(found["seconds"])
                continue
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        damaged += 1
    if damaged:
        _log.warning(
            "note: %d lines of %s are damaged, and left out of the estimates of times",
            damaged,
            store.root / _TIMES,
        )


def _check(line: Mapping[str, Any]) -> int:
    return zlib.crc32(f"{line['node']} {line['seconds']}".encode())
