"""The stages of the theorem: a path of SGD from θ_0, its sharpness, and distances to Retrain."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from expunge.bench.stages.model import load_model, save_model
from expunge.bench.stages.stage import Stage
from expunge.bench.stages.train import STAGE_CODE, context_for, dataset_of, origin_of, surroundings
from expunge.bench.stages.unlearn import forget_digest, split_for
from expunge.bench.workspace import Workspace
from expunge.config import to_mapping
from expunge.errors import ConfigError, ModelError
from expunge.methods import get_method
from expunge.methods.run import run_method
from expunge.metrics.accuracy import accuracy
from expunge.metrics.distance import weight_distance
from expunge.models.build import build
from expunge.models.weights import load_weights, save_weights
from expunge.runs import Spec, code_version, read_object, write_json
from expunge.settings import Recipe, derive_seed
from expunge.sparsity import get_pruner
from expunge.sparsity.mask import apply_mask, mask_sparsity
from expunge.theory.bound import (
    check_plain_sgd,
    departures_from_theorem,
    steps_of,
    unlearning_error_bound,
)
from expunge.theory.config import HessianConfig
from expunge.theory.hessian import largest_singular_value
from expunge.theory.normalisation import fix_normalisation, set_statistics
from expunge.theory.paths import add_back, path_batches, walk
from expunge.training.predict import predict
from expunge.types import Context, Mask, Split

PATH = "sgd_path"
START = "start.safetensors"
FACTS = "facts.json"
RETRAIN = "retrain"
_ALONE = ("expunge.bench.stages.theory", *STAGE_CODE)


def path_stage(workspace: Workspace, base_id: str) -> Stage:
    """θ_t: plain SGD from θ_0, the initialisation of the model `base_id`, under that model's mask.

    Of `base_id` nothing but the mask is used. Its file of weights is θ_t; θ_0 is beside it. Batch
    normalisation is fixed at θ_0.

    Raises:
        ConfigError: the recipe of `base_id` is not plain SGD with a constant learning rate.
        ModelError: `base_id` descends from adopted weights, whose initialisation is not known.
    """
    origin = origin_of(workspace, base_id)
    check_plain_sgd(origin.training)
    _check_own(workspace, base_id)
    spec = Spec(
        kind=PATH,
        settings=surroundings(workspace, origin),
        parents={"model": base_id},
        code=code_version(
            "expunge.theory",
            "expunge.models.build",
            "expunge.training.predict",
            "expunge.metrics.accuracy",
            alone=_ALONE,
        ),
    )
    return Stage(
        spec,
        f"walk from the start of {base_id}, seed {origin.seed}",
        lambda folder: _make_path(workspace, base_id, folder),
    )


def sharpness_stage(workspace: Workspace, model_id: str, config: HessianConfig) -> Stage:
    """‖m ⊙ (θ_t − θ_0)‖₂, σ(m) at θ_t and at θ_0, and the bound, of any model or path.

    Raises:
        ConfigError: `model_id` is no model.
        ModelError: it descends from adopted weights, whose initialisation is not known.
    """
    _check_own(workspace, model_id)
    spec = Spec(
        kind="sharpness",
        settings={
            "config": to_mapping(config),
            **surroundings(workspace, origin_of(workspace, model_id)),
        },
        parents={"model": model_id},
        code=code_version("expunge.theory", "expunge.metrics.distance", alone=_ALONE),
    )
    return Stage(
        spec,
        f"sharpness of {model_id}",
        lambda folder: _make_sharpness(workspace, model_id, config, folder),
    )


def theorem_stage(
    workspace: Workspace, path_id: str, scenario: str, methods: Mapping[str, Any]
) -> Stage:
    """Distances of unlearned models to Retrain from the same start and in the same order.

    `methods` are configurations by the method's name.

    Raises:
        ConfigError: a method begins from another initialisation.
        ForgetError: the scenario does not fit the data.
    """
    for name in methods:
        if "rebuild" in get_method(name).needs:
            raise ConfigError(
                f"method {name} begins from another initialisation than the theorem's Retrain, "
                "which is always measured: leave it out of the recipe"
            )
    split = split_for(workspace, path_id, scenario)
    spec = Spec(
        kind="theorem",
        settings={
            "scenario": scenario,
            "forget": forget_digest(split),
            "methods": {name: to_mapping(config) for name, config in methods.items()},
            **surroundings(workspace, origin_of(workspace, path_id)),
        },
        parents={"model": path_id},
        code=code_version(
            "expunge.theory",
            "expunge.metrics.distance",
            "expunge.methods.run",
            *(get_method(name).run.__module__ for name in methods),
            alone=_ALONE,
        ),
    )
    return Stage(
        spec,
        f"distances to Retrain of {path_id} on {scenario}",
        lambda folder: _make_distances(workspace, path_id, split, methods, folder),
    )


def load_facts(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """The numbers of one of these stages in the store."""
    return read_object(workspace.store.path(run_id) / FACTS)


def _make_path(workspace: Workspace, base_id: str, folder: Path) -> None:
    origin = origin_of(workspace, base_id)
    dataset = dataset_of(workspace, base_id)
    _, spec, mask = load_model(workspace.store.path(base_id))
    context = replace(context_for(workspace, origin, spec, origin.seed), mask=mask)
    model = _start_of(workspace, base_id)
    if mask is not None:
        apply_mask(model, mask)
    set_statistics(model, dataset.train, context.device)
    fix_normalisation(model)
    save_weights(model, folder / START)
    batches = path_batches(len(dataset.train), origin.training, context)
    walk(model, dataset.train, batches, origin.training.lr, context)
    save_model(folder, model, spec, mask)
    facts: dict[str, Any] = {"sparsity_measured": 0.0 if mask is None else mask_sparsity(mask)}
    for name, samples in (("train", dataset.train), ("test", dataset.test)):
        logits = predict(model, samples, workspace.evaluator)
        facts[f"{name}_accuracy"] = accuracy(logits.numpy(), samples.labels.numpy())
    write_json(folder / FACTS, facts)


def _make_sharpness(
    workspace: Workspace, model_id: str, config: HessianConfig, folder: Path
) -> None:
    origin = origin_of(workspace, model_id)
    recipe = origin.training
    samples = dataset_of(workspace, model_id).train
    if workspace.spec(model_id).kind == PATH:
        model, start, mask = _load_path(workspace, model_id)
    else:
        model, _, mask = load_model(workspace.store.path(model_id))
        start = _start_of(workspace, model_id)
        if mask is not None:
            apply_mask(start, mask)
    context = Context(fabric=workspace.evaluator, seed=origin.seed, mask=mask)
    moved = weight_distance(_weights(model), _weights(start), mask)
    sigma = largest_singular_value(model, samples, config, context)
    steps = steps_of(recipe, len(samples))
    departures = departures_from_theorem(recipe)
    kind = workspace.spec(model_id).kind
    if kind not in ("train", PATH):
        departures.append(f"further training by {kind}, which t does not count")
    write_json(
        folder / FACTS,
        {
            "moved": moved,
            "sigma": sigma,
            "sigma_start": largest_singular_value(start, samples, config, context),
            "lr": recipe.lr,
            "steps": steps,
            "bound": unlearning_error_bound(recipe.lr, steps, moved, sigma),
            "departures": departures,
        },
    )


def _make_distances(
    workspace: Workspace, path_id: str, split: Split, methods: Mapping[str, Any], folder: Path
) -> None:
    origin = origin_of(workspace, path_id)
    recipe: Recipe = origin.training
    model, start, mask = _load_path(workspace, path_id)
    _, spec, _ = load_model(workspace.store.path(path_id))
    context = replace(context_for(workspace, origin, spec, origin.seed), mask=mask, rebuild=None)
    batches = path_batches(len(split.train), recipe, context)
    _, retrained, _ = _load_path(workspace, path_id)
    walk(retrained, split.train, batches, recipe.lr, context, without=split.forget, label=RETRAIN)
    reference = _weights(retrained)
    unlearned = add_back(model, start, split.train, batches, recipe.lr, split.forget, context)
    unlearning = replace(context, seed=derive_seed(origin.seed, "unlearn"))
    distances = {
        "add_back": weight_distance(_weights(unlearned), reference),
        "original": weight_distance(_weights(model), reference),
    }
    for name, config in methods.items():
        unlearned, _ = run_method(get_method(name), model, split, config, unlearning)
        distances[name] = weight_distance(_weights(unlearned), reference)
    write_json(folder / FACTS, {"distances": distances})


def _load_path(workspace: Workspace, path_id: str) -> tuple[nn.Module, nn.Module, Mask | None]:
    """θ_t, θ_0 and the mask of a path."""
    folder = workspace.store.path(path_id)
    model, spec, mask = load_model(folder)
    start = build(spec)
    load_weights(start, folder / START)
    fix_normalisation(model)
    fix_normalisation(start)
    return model, start, mask


def _start_of(workspace: Workspace, model_id: str) -> nn.Module:
    """The network that the training of a model began from, dense."""
    origin = origin_of(workspace, model_id)
    spec = workspace.spec(model_id)
    _, described, _ = load_model(workspace.store.path(model_id))
    seed = origin.seed
    if spec.kind == "unlearn":
        # A method that makes a network of its own began there; any other moved what it was given.
        if "rebuild" in get_method(str(spec.settings["method"])).needs:
            seed = derive_seed(seed, "unlearn")
        else:
            return _start_of(workspace, spec.parents["model"])
    elif spec.kind == "prune" and get_pruner(str(spec.settings["pruner"])).when == "initial":
        seed = derive_seed(seed, "prune")
    return context_for(workspace, origin, described, seed).fresh_model()


def _check_own(workspace: Workspace, model_id: str) -> None:
    """Refuse what is no model, and a model whose initialisation nobody knows."""
    kinds = ("train", "prune", "unlearn", PATH)
    if workspace.spec(model_id).kind not in kinds:
        raise ConfigError(f"{model_id} is no model: expected a run of kind {', '.join(kinds)}")
    weights = origin_of(workspace, model_id).weights
    if weights is not None:
        raise ModelError(
            f"{model_id} descends from adopted weights ({Path(weights).name}), and their "
            "initialisation θ_0 is not known: train a model with expunge train"
        )


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}
