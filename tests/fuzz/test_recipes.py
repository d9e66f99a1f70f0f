import json
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.conftest import changed, fuzz, outcome, texts

from expunge.studies.recipe import parse_experiment

RECIPE: dict[str, Any] = {
    "title": "T",
    "scenarios": ["class:3", "random:0.1", "edited:badnets"],
    "seeds": [0, 1],
    "metrics": ["ua", "ra"],
    "precision": "32-true",
    "data": {
        "source": "digits",
        "channels": 1,
        "train_limit": 100,
        "test_fraction": 0.5,
        "seed": 1,
        "edits": {"badnets": {"share": 0.1}, "relabel": {}},
    },
    "network": {"name": "resnet8", "width": 0.25, "stem": "cifar", "threads": 1},
    "training": {"epochs": 2, "lr": 0.1, "milestones": [1, 2], "flip": True, "schedule": "cosine"},
    "pruners": {"omp": {"sparsity": [0.5, 0.9]}, "random": {"sparsity": 0.5}},
    "methods": {
        "retrain": {},
        "ft": {"epochs": 1, "lr_schedule": "cosine", "chosen_by": "hand", "class": {"lr": 0.1}},
        "ga": {"lr": 1e-3},
        "slow": {"method": "ga", "title": "GA, slowly", "lr": 1e-4},
    },
    "subsets": {"quick": {"methods": ["slow"], "levels": ["omp:0.5"], "seeds": [1]}},
    "scales": {"cpu": {"seeds": [0, 1], "methods": {"ft": False}, "training": {"epochs": 1}}},
    "published": [
        {"table": "main-table"},
        {
            "scenario": "class",
            "method": "ft",
            "pruner": "omp",
            "sparsity": 0.9,
            "source": "S",
            "how": "digitised",
            "n": 10,
            "values": {"ua": [22.5, 8.2]},
            "error": {"ua": 0.2},
            "setting": {"training.epochs": 182},
        },
    ],
}


def toml(value: Any) -> str:
    """A value as TOML; tables are inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(key))} = {toml(x)}" for key, x in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return {"None": '"null"'}.get(str(value), str(value))


def recipe(document: dict[str, Any]) -> str:
    return "\n".join(f"{toml(str(key))} = {toml(value)}" for key, value in document.items())


def test_the_recipe_that_is_changed_is_one():
    assert tomllib.loads(recipe(RECIPE)) == RECIPE
    assert parse_experiment(recipe(RECIPE), "r.toml").seeds == (0, 1)
    assert parse_experiment(recipe(RECIPE), "r.toml", "cpu", "quick").seeds == (1,)


@fuzz(450)
@given(changed(RECIPE))
def test_recipes(document):
    outcome(lambda: parse_experiment(recipe(document), "r.toml"))
    outcome(lambda: parse_experiment(recipe(document), "r.toml", "cpu", "quick"))


@fuzz(100)
@given(st.text(max_size=40) | st.lists(texts, max_size=4).map("\n".join))
def test_texts(text):
    outcome(lambda: parse_experiment(text, "r.toml"))
