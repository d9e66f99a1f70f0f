"""The kind `suspect`: how suspect a detector finds each training sample of a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping, to_mapping
from expunge.data.by_id import ids_digest
from expunge.detectors import get_detector
from expunge.detectors.trust import Trust
from expunge.errors import ForgetError, some
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.train import Together
from expunge.graph.lineage import forgotten_by, training_samples
from expunge.graph.model_files import load_model
from expunge.runs import JSON, checked, read_arrays, read_object, write_arrays, write_json
from expunge.settings import derive_seed
from expunge.tasks import check_task

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Dataset, Samples

SUSPECTS = "suspects.json"
SCORES = "scores.safetensors"


def add_suspect(
    graph: Graph,
    model_id: str,
    detector: str,
    config: Any = None,
    trust: Trust | None = None,
    *,
    clean_ids: Iterable[str] = (),
    together: Together | None = None,
) -> str:
    """Which training samples of `model_id` the detector suspects.

    `config` is the detector's settings. `clean_ids` are samples of any part that are known to be
    clean, in place of those that `trust` would draw; such training samples are not suspected.

    Raises:
        ConfigError: `model_id` is not a model that classifies, no detector has this name, or there
            are too few `clean_ids`.
    """
    graph.model(model_id)
    entry = get_detector(detector)
    check_task(f"detector {detector}", {"classify"}, graph.task_of(model_id))
    trust = trust or Trust()
    if listed := list(dict.fromkeys(clean_ids)):
        trust = replace(trust, clean=len(listed))
    clean: dict[str, Any] = {"false_positives": trust.false_positives}
    clean |= {"ids": ids_digest(listed)} if listed else {"draw": trust.clean}
    params = {
        "detector": detector,
        "version": entry.version,
        "config": to_mapping(entry.config() if config is None else config),
        "clean": clean,
        "seed": derive_seed(graph.seed_of(model_id), "suspect"),
        "threads": graph.node(graph.origin_of(model_id)).params["threads"],
        **(together or Together()).params(),
    }
    params.pop("compiled", None)
    parents = {"model": model_id, "data": graph.data_of(model_id)}
    if "out_of_fold" in entry.needs:
        # Here, because unlearning imports forgetting, which imports this.
        from expunge.graph.kinds.folds import add_folds

        parents |= add_folds(graph, model_id, params["config"]["folds"], together)
    where = {"clean": listed} if listed else {}
    label = f"look for suspects by {detector}, {model_id}"
    return graph.add("suspect", params, parents, where=where, label=label)


def load_suspects(folder: Path) -> dict[str, Any]:
    """`suspected` ids, `threshold`, and how they were found, from the artefact in this folder."""
    return read_object(checked(folder, SUSPECTS))


def load_scores(folder: Path) -> dict[str, Any]:
    """`scores` `(N,)` float64, `rows` `(N,)`, and `clean` `(M,)`, the scores behind the threshold.

    `rows` are positions in the data node's list of training ids. Samples that were forgotten or are
    known to be clean have none.
    """
    return dict(read_arrays(checked(folder, SCORES)))


def how(found: Mapping[str, Any]) -> str:
    """For people, how a list of suspects was found."""
    return (
        f"{found['detector']}, threshold from {found['clean']} clean {found['clean_from']} samples "
        f"for a false positive rate of {found['false_positives']:g}"
    )


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Score what the model was trained on and nobody has forgotten or vouched for."""
    import numpy as np

    from expunge.detectors.find import find
    from expunge.graph.kinds.folds import out_of_fold

    detector = get_detector(node.params["detector"])
    config: Any = from_mapping(detector.config, node.params["config"], detector.name)
    false_positives = float(node.params["clean"]["false_positives"])
    forgotten = forgotten_by(inputs["model"])
    dataset = runtime.dataset(inputs["data"], forgotten)
    clean, source = _clean(node, dataset, forgotten, runtime)
    samples = training_samples(dataset.train, (*forgotten, *clean.ids))
    model, _, _ = load_model(inputs["model"])
    unseen: Callable[[Samples], Floats] | None = None
    if "out_of_fold" in detector.needs:
        folds, known = int(node.params["config"]["folds"]), set(dataset.train.ids)
        unseen = partial(out_of_fold, trained_on=known, inputs=inputs, folds=folds, runtime=runtime)
    found = find(
        detector,
        config,
        model,
        samples,
        clean,
        false_positives,
        node.params["seed"],
        runtime.evaluator,
        unseen=unseen,
        progress=runtime.progress,
    )
    place = {name: row for row, name in enumerate(runtime.facts(inputs["data"]).train.ids)}
    arrays = {
        "scores": found.scores,
        "rows": np.array([place[name] for name in samples.ids], dtype=np.int64),
        "clean": found.clean_scores,
    }
    write_arrays(out / SCORES, arrays)
    document: dict[str, JSON] = {
        "detector": detector.name,
        "threshold": found.threshold,
        "false_positives": false_positives,
        "clean": len(found.clean_scores),
        "clean_from": source,
        "trusted": found.trusted,
        "scored": len(samples),
        "suspected": list(found.suspected),
    }
    write_json(out / SUSPECTS, document)


def _clean(
    node: Node, dataset: Dataset, forgotten: Collection[str], runtime: Runtime
) -> tuple[Samples, str]:
    """The samples known to be clean, and what they are called.

    Raises:
        ForgetError: an id is that of no sample, or of one that is forgotten.
    """
    from expunge.data.splits import limited, subset

    source = "test" if dataset.validation is None else "validation"
    if "draw" in node.params["clean"]:
        samples = dataset.test if dataset.validation is None else dataset.validation
        seed = derive_seed(node.params["seed"], "clean")
        return subset(samples, limited(samples.labels, node.params["clean"]["draw"], seed)), source
    ids = list(runtime.where(node)["clean"])
    if ids_digest(ids) != node.params["clean"]["ids"]:
        raise ForgetError("the ids of clean samples have changed since this was planned")
    return _named(dataset, ids, forgotten), "given"


def _named(dataset: Dataset, ids: list[str], forgotten: Collection[str]) -> Samples:
    """The samples with these ids, of one part of the data."""
    import torch

    from expunge.data.splits import subset

    wanted = set(ids)
    for samples in (dataset.train, dataset.validation, dataset.test):
        if samples is None or wanted.isdisjoint(samples.ids):
            continue
        gone = wanted & set(forgotten)
        absent = sorted((wanted - set(samples.ids)) | gone)
        if absent:
            raise ForgetError(
                f"{len(absent)} of {len(ids)} ids of clean samples are not in the part of the data "
                f"that has the others, or were forgotten ({some(absent)}): expected ids of one part"
            )
        rows = [row for row, name in enumerate(samples.ids) if name in wanted]
        return subset(samples, torch.tensor(rows, dtype=torch.int64))
    raise ForgetError(
        f"none of the {len(ids)} ids of clean samples is in the data ({some(ids)}): expected those "
        "of training, validation or test samples"
    )


KIND = Kind(name="suspect", version=1, run=run)
