"""A results document with plausible numbers: two scenarios, two levels, three seeds."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

LEVELS = (("none", 0.0), ("omp", 0.95))
CORE = ("ua", "ra", "ta", "mia_efficacy")

# Per scenario, level and method: UA, RA, TA, MIA-efficacy, seconds.
NUMBERS = {
    ("class:3", "none"): {
        "retrain": (100.0, 100.0, 94.8, 100.0, 2590.0),
        "original": (0.1, 99.95, 94.5, 4.1, None),
        "ft": (22.5, 99.9, 94.3, 75.0, 151.0),
        "ga": (93.1, 92.6, 86.6, 94.0, 19.8),
        "l1_sparse": (99.6, 98.9, 93.4, 99.8, 154.0),
    },
    ("class:3", "omp"): {
        "retrain": (100.0, 99.98, 91.8, 100.0, 2560.0),
        "original": (0.9, 99.8, 94.0, 8.3, None),
        "ft": (73.6, 99.9, 94.3, 83.0, 150.0),
        "ga": (98.1, 87.7, 82.6, 97.7, 19.1),
    },
    ("random:0.1", "none"): {
        "retrain": (5.4, 100.0, 94.4, 13.1, 2530.0),
        "original": (0.2, 99.9, 94.6, 2.1, None),
        "ft": (3.1, 98.9, 92.9, 9.0, 140.0),
        "ga": (7.5, 93.3, 89.3, 10.0, 18.6),
        "l1_sparse": (5.4, 97.4, 91.4, 12.7, 143.0),
    },
    ("random:0.1", "omp"): {
        "retrain": (6.8, 100.0, 93.3, 14.2, 2490.0),
        "original": (1.1, 99.7, 93.9, 4.4, None),
        "ft": (6.0, 97.0, 90.3, 13.4, 139.0),
        "ga": (5.6, 95.4, 89.3, 11.8, 18.4),
    },
}
CONFIGS = {
    "original": {},
    "retrain": {"epochs": 160, "lr": 0.1},
    "ft": {"epochs": 10, "lr": 0.01},
    "ga": {"epochs": 5, "lr": 1e-4},
    "l1_sparse": {"epochs": 10, "lr": 0.01, "gamma": 5e-4, "schedule": "linear"},
}


def shares(peak: float, low: float = 0.0) -> list[float]:
    """Twenty shares in per cent that pile up at 1 as `peak` grows, and at 0 as `low` does."""
    centres = (np.arange(20) + 0.5) / 20
    weights = (1 - low) * centres**peak + low * (1 - centres) ** 12
    return [round(float(share), 4) for share in 100 * weights / weights.sum()]


def draws(mean: float, deviation: float = 0.5) -> dict:
    n = 20 if deviation <= 5 else 200
    return {
        "n": n,
        "mean": mean,
        "deviation": deviation,
        "standard_error": deviation / n**0.5,
        "median": mean,
        "p5": max(0.0, mean - 1.6 * deviation),
        "p95": min(100.0, mean + 1.6 * deviation),
        "agree": deviation <= 5,
    }


def cell(scenario: str, pruner: str, sparsity: float, method: str, seed: int) -> dict:
    rng = np.random.default_rng([seed, *f"{scenario}{pruner}{method}".encode()])
    ua, ra, ta, mia, rte = NUMBERS[scenario, pruner][method]
    noise = rng.normal(0, (1.2, 0.15, 0.2, 1.5))
    if method in ("retrain", "original"):
        noise *= 0.1
    values = np.clip(np.array([ua, ra, ta, mia]) + noise, 0, 100).round(3)
    by_class = scenario.startswith("class")
    metrics = dict(zip(CORE, values.tolist(), strict=True))
    metrics |= {
        "mia_privacy": round(50 + abs(rng.normal(2, 1)), 3),
        "ta_forgotten": round(max(0.0, 90 - 0.9 * ua), 3) if by_class else None,
        "weight_distance": None if method == "retrain" else round(30 + rng.normal(), 3),
        "drift": None if method == "original" else round(8 * (1 - sparsity) + 1 + rng.random(), 3),
    }
    original = None if method == "original" else {}
    if original is not None:
        original = {
            "before": {"forget": shares(30), "retain": shares(34), "test": shares(16, 0.02)},
            "after": {
                "forget": shares(30 - ua / 4, ua / 100 if by_class else 0.03),
                "retain": shares(30),
                "test": shares(14, 0.03),
            },
        }
    return {
        "scenario": scenario,
        "pruner": pruner,
        "sparsity": sparsity,
        "sparsity_at": {"0": sparsity if method != "l1_sparse" else 0.412},
        "method": method,
        "seed": seed,
        "config": CONFIGS[method],
        "metrics": metrics,
        "gap": None,
        "gap_reason": None,
        "gap_dense": None,
        "rte_s": None if rte is None else round(rte * (1 + 0.02 * rng.normal()), 2),
        "run": f"unlearn-{rng.integers(16**6):06x}",
        "made_by": 0,
        "reasons": {},
        "draws": {name: draws(metrics[name]) for name in ("mia_efficacy", "mia_privacy")},
        "confidence": original,
    }


def gap(metrics: dict, reference: dict) -> dict:
    gaps = {key: round(abs(metrics[key] - reference[key]), 4) for key in CORE}
    return gaps | {"avg": round(sum(gaps.values()) / 4, 4)}


def build(seeds: int = 3) -> dict:
    cells = [
        cell(scenario, pruner, sparsity, method, seed)
        for (scenario, name), methods in NUMBERS.items()
        for pruner, sparsity in LEVELS
        if pruner == name
        for method in methods
        for seed in range(seeds)
    ]
    by_key = {(c["scenario"], c["pruner"], c["method"], c["seed"]): c for c in cells}
    for c in cells:
        for field, pruner in (("gap", c["pruner"]), ("gap_dense", "none")):
            reference = by_key[c["scenario"], pruner, "retrain", c["seed"]]
            c[field] = gap(c["metrics"], reference["metrics"])
    return {
        "schema": 2,
        "title": "CIFAR-10, ResNet-18: prune first, then unlearn",
        "makers": [
            {
                "python": "3.12.3",
                "platform": "Linux x86_64",
                "cpu": "Example CPU",
                "cores": 16,
                "packages": {"expunge": "0.1.0", "torch": "2.6.0"},
                "commit": "f937f81",
                "date": "2026-01-31",
                "engine": "here",
                "device": "Example GPU",
                "precision": "bf16-mixed",
                "threads": 2,
                "code": "0123456789abcdef",
            }
        ],
        "metrics": {
            name: {"unit": unit, "compared": name in CORE, "title": name}
            for name, unit in {
                **dict.fromkeys((*CORE, "mia_privacy", "ta_forgotten"), "percent"),
                "weight_distance": "norm",
                "drift": "norm",
                "sparsity_at": "fraction",
                "confidence": "percent",
            }.items()
        },
        "settings": {
            "data": {"name": "cifar10", "train": 45000, "test": 10000},
            "model": {"name": "resnet18", "classes": 10},
            "training": {"epochs": 182, "lr": 0.1, "milestones": [91, 136], "flip": True},
            "methods": [{"name": name, **config} for name, config in CONFIGS.items()],
            "pruners": [{"name": "omp", "sparsity": 0.95}],
            "scenarios": ["class:3", "random:0.1"],
            "seeds": list(range(seeds)),
        },
        "reproduce": "expunge bench recipes/cifar10-resnet18.toml --out results/cifar10",
        "cells": cells,
    }


_THREE, _ONE = build(3), build(1)


@pytest.fixture
def results() -> dict:
    """Three seeds; a copy, free to be spoilt."""
    return copy.deepcopy(_THREE)


@pytest.fixture
def one_seed() -> dict:
    return copy.deepcopy(_ONE)


@pytest.fixture
def schema_1(results: dict) -> dict:
    """The same document as it was written before schema 2."""
    (maker,) = results.pop("makers")
    del results["metrics"]
    for cell in results["cells"]:
        del cell["made_by"], cell["reasons"], cell["draws"]
        cell["sparsity_measured"] = cell.pop("sparsity_at")["0"]
    return {**results, "schema": 1, "env": maker}


@pytest.fixture
def made_elsewhere(results: dict) -> dict:
    """A second environment, which no cell names yet: another processor and another PyTorch."""
    first = results["makers"][0]
    packages = {**first["packages"], "torch": "2.7.0"}
    other = {**first, "cpu": "Other CPU", "packages": packages, "date": "2026-02-01"}
    results["makers"].append(other)
    return results


@pytest.fixture
def without_reference(results: dict) -> dict:
    """The same document with no Retrain, as when there was no time for it."""
    results["cells"] = [c for c in results["cells"] if c["method"] != "retrain"]
    for c in results["cells"]:
        c["gap"] = c["gap_dense"] = None
        c["gap_reason"] = "retrain was not run at this sparsity"
    return results


@pytest.fixture
def find(results: dict):
    def find(method: str, scenario: str = "class:3", pruner: str = "none", seed: int = 0) -> dict:
        return next(
            c
            for c in results["cells"]
            if (c["scenario"], c["pruner"], c["method"], c["seed"])
            == (scenario, pruner, method, seed)
        )

    return find


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "report"


@pytest.fixture(scope="session")
def three_seeds() -> dict:
    """The same as `results`, for those that only read it."""
    return copy.deepcopy(_THREE)
