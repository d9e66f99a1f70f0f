"""What `expunge runs list` says of a run: data, network, method, scenario, seed, accuracy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from expunge.runs import Store
    from expunge.runs.store import Summary

_LONGEST_ID = len("unlearn-0123456789abcdef")
_MODELS = ("train", "prune", "unlearn")
_NO_BREAK = "\N{NO-BREAK SPACE}"


def describe_runs(
    store: Store, runs: Sequence[Summary]
) -> Iterator[tuple[Summary, dict[str, Any]]]:
    """Each run with what it is; what it has none of, or is not known, is None."""
    by_id = {run.id: run for run in runs}
    accuracies = {**dict(_adopted(store, runs)), **dict(_accuracies(store, by_id))}
    for run in runs:
        outcome = {"ta": accuracies.get(run.id), "failed": _failed(store, run)}
        yield run, _described(run, by_id) | outcome


def line(run: Summary, about: Mapping[str, Any], width: int) -> str:
    """A run in one line, or in more if the terminal is narrower; its id is never broken."""
    made = run.created[:16].replace("T", _NO_BREAK) or "not known"
    size = f"{run.size_bytes / 1e6:.1f}{_NO_BREAK}MB"
    text = f"{run.id:<{_LONGEST_ID}}  {made}  {size:>8}  {run.problem or _words(run, about)}"
    wrapped = textwrap.wrap(
        text,
        width=max(width, len(run.id)),
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(wrapped).replace(_NO_BREAK, " ")


def _described(run: Summary, by_id: Mapping[str, Summary]) -> dict[str, Any]:
    def parent(role: str) -> Summary | None:
        return by_id.get(run.parents.get(role, ""))

    origin = run if run.kind == "train" else parent("origin")
    pruned = next((each for each in _line_of(run, by_id) if each.kind == "prune"), None)
    data = run if run.kind == "data" else parent("data")
    forget = run if run.kind == "forget" else parent("forget")
    return {
        "data": None if data is None else data.where.get("source"),
        "network": None if origin is None else _field(origin.params, "network", "name"),
        "pruner": None if pruned is None else pruned.params.get("pruner"),
        "sparsity": None if pruned is None else _field(pruned.params, "config", "sparsity"),
        "method": run.params.get("method"),
        "scenario": None if forget is None else forget.where.get("scenario"),
        "seed": None if origin is None else origin.params.get("seed"),
    }


def _line_of(run: Summary, by_id: Mapping[str, Summary]) -> Iterator[Summary]:
    """A model and those that it was made from, itself first."""
    here: Summary | None = run
    while here is not None:
        yield here
        here = by_id.get(here.parents.get("model", ""))


def _field(params: Mapping[str, Any], table: str, name: str) -> Any:
    found = params.get(table)
    return found.get(name) if isinstance(found, Mapping) else None


def _accuracies(store: Store, by_id: Mapping[str, Summary]) -> Iterator[tuple[str, float]]:
    """By model, its measured TA: in the scenario that it unlearned, else on the whole test set."""
    from expunge.errors import StoreError
    from expunge.graph.kinds.measure import load_measured

    for run in by_id.values():
        model = by_id.get(run.parents.get("model", ""))
        if run.params.get("metric") != "ta" or model is None:
            continue
        forget = run.parents.get("forget", "")
        own = model.parents.get("forget")
        chosen = str(by_id[forget].where.get("scenario")) if forget in by_id else "class:"
        if own != forget if own is not None else chosen.startswith("class:"):
            continue
        try:
            value = load_measured(store.path(run.id))["value"]
        except (StoreError, KeyError):
            continue
        if isinstance(value, float):
            yield model.id, value


def _adopted(store: Store, runs: Sequence[Summary]) -> Iterator[tuple[str, float]]:
    """By model from elsewhere, the accuracy on all test samples that it had when it was adopted."""
    from expunge.errors import StoreError
    from expunge.graph.record import load_record

    for run in runs:
        if "adoption" in run.params:
            try:
                record = load_record(store.path(run.id))
                yield run.id, record["accuracy"]["test"]["accuracy"]
            except (StoreError, KeyError, TypeError):
                continue


def _failed(store: Store, run: Summary) -> str | None:
    """Why a run holds no model; None if it holds one."""
    from expunge.errors import StoreError
    from expunge.graph.outcome import divergence

    if run.problem or run.kind not in _MODELS:
        return None
    try:
        return divergence(store.path(run.id))
    except StoreError:
        return None


def _words(run: Summary, about: Mapping[str, Any]) -> str:
    """What a model is, in words; of anything else, its label."""
    if about["network"] is None or run.kind not in _MODELS:
        return run.label
    words = [f"{about['network']} on {about['data']}"]
    if about["pruner"] is not None:
        words.append(f"{about['sparsity']:.0%} by {about['pruner']}")
    if about["method"] is not None:
        words.append(f"{about['scenario']} by {about['method']}")
    words.append(f"seed {about['seed']}")
    if about["failed"] is not None:
        # Diverged, refused, or no sparse model.
        words.append(about["failed"].partition(":")[0])
    if about["ta"] is not None:
        words.append(f"TA {about['ta']:.2f}")
    return ", ".join(words)
