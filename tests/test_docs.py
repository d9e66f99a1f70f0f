"""The documentation's examples are run."""

import importlib.util
import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

import expunge
from expunge.graph.model_files import save_model
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.studies.recipe import parse_experiment, read_experiment
from expunge.studies.transfer.study import read_transfer

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def beside_a_demo(tmp_path, monkeypatch):
    """A folder where `demo/original` is a model of digits."""
    spec = ModelSpec(name="resnet8", num_classes=10, in_channels=1, width=0.25)
    folder = tmp_path / "demo" / "original"
    folder.mkdir(parents=True)
    save_model(folder, build(spec, seed=0), spec, None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_examples_run(path, beside_a_demo, capsys):
    page = {"__name__": "example"}  # one after another, as people read them
    for code in blocks(path, "python"):
        exec(compile(code, str(path), "exec"), page)


def test_the_readmes_example_prints_metrics(beside_a_demo, capsys):
    (code,) = blocks(ROOT / "README.md", "python")
    exec(compile(code, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "unlearning accuracy UA" in out
    assert "no gap" in out


def test_recipes_in_the_documentation_and_in_the_tree_are_recipes():
    for path in DOCUMENTS:
        for text in blocks(path, "toml"):
            if "scenarios" in tomllib.loads(text):
                assert "ids:delete.csv" in text
                text = text.replace('"ids:delete.csv"', '"class:1"')
                assert parse_experiment(text, path.name).seeds
    for path in (ROOT / "recipes").glob("*.toml"):
        if "target" in tomllib.loads(path.read_text(encoding="utf-8")):
            assert read_transfer(path).numbers
        else:
            assert asdict(read_experiment(path).training)["epochs"] > 0


def test_tables_in_the_documentation_are_those_of_the_results(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location("fill", ROOT / "docs" / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    tables = 0
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert fill.filled(text) == text, f"{path.name}: run python docs/fill.py"
        tables += len(fill.PLACE.findall(text))
    assert tables >= 3


def test_links_lead_somewhere():
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_python_face_prunes_unlearns_and_compares(samples):
    from tests.conftest import small_network

    recipe = expunge.Training(epochs=3, batch_size=16, lr=0.05, schedule="constant")
    model = expunge.train(small_network(), samples, recipe)
    split = expunge.split(samples, forget=expunge.by_class(1))
    sparse = expunge.prune(model, split, method="random", sparsity=0.5, training=recipe)
    result = expunge.unlearn(sparse, split, method="ft", config={"epochs": 1})
    reference = expunge.unlearn(
        sparse, split, method="retrain", training=recipe, rebuild=small_network
    )
    found = expunge.evaluate(result.model, split, samples, reference=reference.model)
    assert found.gap is not None
    assert "mean gap to Retrain" in str(found)
    assert found.metrics["weight_distance"] > 0
    for name, kept in sparse.mask.items():
        assert not result.model.get_parameter(name)[~kept].any()
