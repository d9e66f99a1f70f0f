"""One model of the store, measured, and compared with a retrained one."""

from typing import Any

from expunge.bench.stages import ensure, measure_stage
from expunge.bench.stages.measure import load_measured
from expunge.bench.workspace import Workspace
from expunge.errors import ConfigError
from expunge.metrics.gap import gap
from expunge.runs import Spec

MODELS = ("train", "prune", "unlearn")


def verdict(
    workspace: Workspace, run_id: str, reference_id: str | None, forget: str | None
) -> dict[str, Any]:
    """Metrics of a model, and their gap to `reference_id` if it is given.

    A `gap_note` says where the reference descends from another model. `forget` is the scenario,
    where the model is an original one that has unlearned nothing.

    Raises:
        ConfigError: a run is no model, or the reference was retrained in another scenario.
    """
    spec = workspace.spec(run_id)
    scenario, base_id = _scenario(run_id, spec, forget)
    if reference_id is not None:
        _check_reference(spec, reference_id, workspace.spec(reference_id), scenario)
    run = ensure(workspace, measure_stage(workspace, run_id, base_id, scenario, reference_id))
    measured = load_measured(workspace, run)
    result: dict[str, Any] = {
        "run": run_id,
        "scenario": scenario,
        **measured,
        "gap": None,
        "gap_reason": "no retrained model was given: pass --reference",
    }
    if reference_id is not None:
        other = ensure(
            workspace, measure_stage(workspace, reference_id, base_id, scenario, reference_id)
        )
        reference = load_measured(workspace, other)["metrics"]
        result |= {"gap": gap(measured["metrics"], reference), "gap_reason": None}
        other_base = workspace.spec(reference_id).parents["model"]
        if other_base != base_id:
            result["gap_note"] = (
                f"the reference was retrained from {other_base}, the model unlearned from "
                f"{base_id}: this may be no gap at the same sparsity"
            )
    return result


def _scenario(run_id: str, spec: Spec, forget: str | None) -> tuple[str, str]:
    """The scenario in which a model is measured, and the model that it was unlearned from."""
    if spec.kind not in MODELS:
        raise ConfigError(f"{run_id} is no model: expected a run of kind {', '.join(MODELS)}")
    if spec.kind == "unlearn":
        done = str(spec.settings["scenario"])
        if forget not in (None, done):
            raise ConfigError(f"{run_id} has unlearned {done}, not {forget}: leave out --forget")
        return done, spec.parents["model"]
    if forget is None:
        raise ConfigError(f"{run_id} has unlearned nothing: say what to measure with --forget")
    return forget, run_id


def _check_reference(spec: Spec, reference_id: str, reference: Spec, scenario: str) -> None:
    if reference.kind != "unlearn" or reference.settings["method"] != "retrain":
        raise ConfigError(f"reference {reference_id} is no retrained model")
    if reference.settings["scenario"] != scenario or (
        spec.kind == "unlearn" and reference.settings["forget"] != spec.settings["forget"]
    ):
        raise ConfigError(
            f"reference {reference_id} was retrained without "
            f"{reference.settings['scenario']!r}, expected {scenario!r}: another forget set"
        )
