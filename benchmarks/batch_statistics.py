"""How much of what a method forgets is in its weights, and how much in batch statistics.

A method that trains on forgotten samples alone moves the running mean and variance of every batch
norm to those of these samples, however small its learning rate is. So the models of a result are
measured once more: with the unlearned weights and the original's statistics, and the other way
round.

    python -m benchmarks.batch_statistics RESULTS STORE --method ga --out FILE
"""

import argparse
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchmarks.results import write
from expunge.graph.kinds.forget import load_forget
from expunge.graph.model_files import load_model
from expunge.graph.runtime import Place, Runtime
from expunge.runs import Store
from expunge.training.predict import predict


def with_statistics(model: nn.Module, of: nn.Module) -> nn.Module:
    """A copy of `model` with the running mean and variance of every batch norm of `of`."""
    found = copy.deepcopy(model)
    theirs = dict(of.named_modules())
    for name, module in found.named_modules():
        if isinstance(module, _BatchNorm):
            module.load_state_dict(
                {**module.state_dict(), **dict(theirs[name].named_buffers(recurse=False))}
            )
    return found


def rows(results: dict[str, Any], store: Store, method: str) -> Iterator[dict[str, Any]]:
    """One row for each cell of a method that has a model: UA and RA of the four combinations."""
    runtime = Runtime(Place(device="cpu"))
    for cell in results["cells"]:
        if cell["method"] != method or cell.get("failed"):
            continue
        parents = store.node(cell["run"]).parents
        before, after = (
            load_model(store.path(each))[0] for each in (parents["model"], cell["run"])
        )
        train = runtime.dataset(store.path(parents["data"])).train
        gone = set(load_forget(store.path(parents["forget"]))["ids"])
        forgotten = torch.tensor([name in gone for name in train.ids])
        place = {key: cell[key] for key in ("scenario", "pruner", "sparsity", "seed", "config")}
        for weights, model in (("original", before), (method, after)):
            for statistics, other in (("original", before), (method, after)):
                logits = predict(with_statistics(model, other), train, runtime.evaluator)
                right = logits.argmax(1).cpu() == train.labels
                yield {
                    **place,
                    "weights": weights,
                    "statistics": statistics,
                    "ua": 100 - 100 * float(right[forgotten].double().mean()),
                    "ra": 100 * float(right[~forgotten].double().mean()),
                }


def main() -> None:
    """Write the rows, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--method", default="ga")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    results = json.loads(words.results.read_text(encoding="utf-8"))
    found = []
    for row in rows(results, Store(words.store), words.method):
        found.append(row)
        print(
            f"{row['scenario']:>12} {row['pruner']:>5} seed {row['seed']}  weights of "
            f"{row['weights']:>8}, statistics of {row['statistics']:>8}: UA {row['ua']:6.2f}, "
            f"RA {row['ra']:6.2f}"
        )
    write(words.out, method=words.method, reproduce=results["reproduce"], rows=found)


if __name__ == "__main__":
    main()
