"""Every cell of an experiment: its stages, run one after another where they are not there yet."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from expunge.bench.experiment import Experiment
from expunge.bench.stages import (
    Origin,
    Stage,
    ensure,
    measure_stage,
    prune_stage,
    train_stage,
    unlearn_stage,
)
from expunge.bench.stages.measure import load_measured
from expunge.bench.stages.train import RECORD
from expunge.bench.workspace import Workspace, precision_on
from expunge.config import to_mapping
from expunge.metrics.gap import gap
from expunge.runs import read_object

REFERENCE = "retrain"
ORIGINAL = "original"
NO_REFERENCE = "the grid has no retrain at this sparsity to compare with"


class Base(NamedTuple):
    """A model to unlearn from."""

    pruner: str
    sparsity: float
    run_id: str


def run_grid(workspace: Workspace, experiment: Experiment) -> list[dict[str, Any]]:
    """The cells of `experiment`, in the order of its seeds, scenarios, sparsities and methods.

    Raises:
        ExpungeError: a stage fails; what was made before it stays in the store.
    """
    return [
        cell for seed in experiment.seeds for cell in _cells_of_seed(workspace, experiment, seed)
    ]


def original_stage(workspace: Workspace, experiment: Experiment, seed: int) -> Stage:
    """The dense original of one seed."""
    origin = Origin(
        data=experiment.data,
        network=experiment.network,
        training=experiment.training,
        seed=seed,
        precision=precision_on(workspace.device, experiment.precision),
    )
    return train_stage(workspace, origin)


def bases_of_seed(workspace: Workspace, experiment: Experiment, seed: int) -> list[Base]:
    """The dense original and every sparse one."""
    dense = ensure(workspace, original_stage(workspace, experiment, seed))
    bases = [Base("none", 0.0, dense)]
    for pruner in experiment.pruners:
        for config in experiment.pruner_configs(pruner):
            sparse = ensure(workspace, prune_stage(workspace, dense, pruner, config))
            bases.append(Base(pruner, config.sparsity, sparse))
    return bases


def _cells_of_seed(
    workspace: Workspace, experiment: Experiment, seed: int
) -> Iterator[dict[str, Any]]:
    bases = bases_of_seed(workspace, experiment, seed)
    for scenario in experiment.scenarios:
        dense_reference: Mapping[str, float] | None = None
        for base in bases:
            cells = _cells_of_base(workspace, experiment, scenario, base, seed)
            references = [cell["metrics"] for cell in cells if cell["method"] == REFERENCE]
            reference = references[0] if references else None
            if base.pruner == "none":
                dense_reference = reference
            for cell in cells:
                cell["gap"] = None if reference is None else gap(cell["metrics"], reference)
                cell["gap_reason"] = NO_REFERENCE if reference is None else None
                cell["gap_dense"] = (
                    None if dense_reference is None else gap(cell["metrics"], dense_reference)
                )
                yield cell


def _cells_of_base(
    workspace: Workspace, experiment: Experiment, scenario: str, base: Base, seed: int
) -> list[dict[str, Any]]:
    configs = {name: experiment.method_config(name, scenario) for name in experiment.methods}
    models = {
        name: ensure(workspace, unlearn_stage(workspace, base.run_id, scenario, name, config))
        for name, config in configs.items()
    }
    reference_id = models.get(REFERENCE)
    cells = []
    for method, model_id in {ORIGINAL: base.run_id, **models}.items():
        run = ensure(
            workspace, measure_stage(workspace, model_id, base.run_id, scenario, reference_id)
        )
        record = read_object(workspace.store.path(model_id) / RECORD)
        cells.append(
            {
                "scenario": scenario,
                "pruner": base.pruner,
                "sparsity": base.sparsity,
                "method": method,
                "seed": seed,
                "config": to_mapping(configs[method]) if method in configs else {},
                "chosen_by": (
                    experiment.chosen_by(method, scenario) if method in configs else None
                ),
                **load_measured(workspace, run),
                "rte_s": record["seconds"] if method != ORIGINAL else None,
                "run": run,
            }
        )
    return cells
