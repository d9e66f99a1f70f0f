"""Classifiers of vectors and of tokens, from their files to the report, through the commands."""

import json

import numpy as np
import pytest
from tests.kinds import clouds, save_bert, sentences

from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.methods import METHODS
from expunge.methods.retrain import METHOD as RETRAIN

COUNT = 90
CERTAIN = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""No dropout: so small a network learns in few epochs."""
CELLS = """
title = "Other inputs"
scenarios = ["random:0.1", "ids:{ids}"]
[data]
source = "{source}"
[network]
name = "{network}"
threads = 1
{width}
[training]
{training}
{methods}
[pruners.omp]
sparsity = 0.5
"""
TRAINING = {
    "mlp": 'epochs = 5\nbatch_size = 64\nlr = 0.05\nschedule = "constant"\nrewind_epoch = 1',
    "hf": 'epochs = 30\nbatch_size = 8\nlr = 0.05\nschedule = "constant"\nrewind_epoch = 1\n'
    'optimizer = "sgd"\nwarmup_epochs = 0\nweight_decay = 0.0',
}


@pytest.fixture
def write(tmp_path):
    """Vectors or tokens in a file: what to call the file, and the ids of its samples."""

    def to(name):
        samples = clouds(COUNT) if name.startswith("numbers") else sentences(COUNT)
        path, labels = tmp_path / name, samples.labels.numpy()
        ids = [f"row {number}" for number in range(COUNT)]
        if path.suffix == ".npz":
            inputs = (
                {"x": samples.inputs.tensor}
                if samples.inputs.kind == "vectors"
                else samples.inputs.tensors
            )
            arrays = {f"{part}_train": tensor.numpy() for part, tensor in inputs.items()}
            np.savez(path, **arrays, y_train=labels, ids_train=np.array(ids))
            return path, ids
        if samples.inputs.kind == "vectors":
            columns = {f"f{n}": column for n, column in enumerate(samples.inputs.tensor.T.tolist())}
        else:
            tensors = samples.inputs.tensors
            lengths = tensors["attention_mask"].sum(1).tolist()
            columns = {
                part: [row[:length] for row, length in zip(tensor.tolist(), lengths, strict=True)]
                for part, tensor in tensors.items()
            }
        columns |= {"label": labels.tolist(), "id": ids}
        if path.suffix == ".csv":
            rows = [list(columns), *zip(*columns.values(), strict=True)]
            path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
            return path, ids
        pytest.importorskip("pyarrow")
        from pyarrow import Table, parquet

        parquet.write_table(Table.from_pydict(columns), path)
        return path, ids

    return to


@pytest.fixture
def network(tmp_path):
    """A network for a kind of inputs."""
    return lambda kind: "mlp" if kind == "numbers" else save_bert(tmp_path / "bert", **CERTAIN)


@pytest.fixture
def ok(command, tmp_path):
    """What a command prints as JSON, over a store of this test's own; it has to succeed."""

    def run(*words):
        code, out, err = command(*words, "--store", tmp_path / "store", "--json")
        assert code == 0, err
        return json.loads(out)

    return run


def some_ids(source, tmp_path):
    """A file with the ids of five training samples."""
    path = tmp_path / "ids.txt"
    path.write_text("".join(f"{name}\n" for name in load(DataSpec(source=source)).train.ids[:5]))
    return path


def methods():
    """Every method, with its example settings."""
    return "\n".join(
        f"[methods.{method.name}]\n"
        + "\n".join(f"{name} = {json.dumps(value)}" for name, value in method.example.items())
        for method in METHODS
    )


@pytest.fixture
def results(command, tmp_path):
    """The results of a recipe with every method, dense and sparse; its report is written twice."""

    def run(source, network, width=""):
        recipe, out = tmp_path / "cells.toml", tmp_path / "out"
        recipe.write_text(
            CELLS.format(
                ids=some_ids(source, tmp_path),
                source=source,
                network=network,
                width=width,
                training=TRAINING[network.partition(":")[0]],
                methods=methods(),
            )
        )
        code, printed, err = command("bench", recipe, "--out", out, "--device", "cpu", "--json")
        assert code == 0, err
        first = (out / "report.html").read_text()
        (out / "report.html").unlink()
        assert command("report", out)[0] == 0
        assert (out / "report.html").read_text() == first
        code, planned, err = command("bench", recipe, "--out", out, "--dry-run", "--json")
        assert code == 0, err
        return json.loads(printed), first, json.loads(planned)

    return run


def check_results(found):
    document, report, planned = found
    cells = document["cells"]
    assert len(cells) == 2 * 2 * (len(METHODS) + 1)
    assert {cell["method"] for cell in cells} == {"original", *(each.name for each in METHODS)}
    for cell in cells:
        known = {name for name, value in cell["metrics"].items() if value is not None}
        assert {"ua", "ra", "ta", "mia_efficacy", "mia_privacy", "drift"} <= known
        assert cell["gap"] is not None
        if cell["pruner"] == "omp":
            assert cell["sparsity_at"]["0"] == pytest.approx(0.5, abs=0.01)
        if cell["method"] == "original" and cell["pruner"] == "none":
            assert cell["metrics"]["ta"] > 80
        if cell["method"] != "original":
            assert cell["metrics"]["weight_distance"] > 0 or cell["method"] == RETRAIN.name
    assert "Other inputs" in report
    assert not planned["missing"]


def test_vectors_through_every_method(results):
    check_results(results("breast_cancer", "mlp", "width = 0.1"))


@pytest.mark.slow
def test_tokens_through_every_method(results, write, network):
    path, _ = write("tokens.parquet")
    check_results(results(str(path), network("tokens")))


@pytest.mark.parametrize(
    "name",
    [
        "numbers.csv",
        "numbers.npz",
        "numbers.parquet",
        "tokens.npz",
        "tokens.parquet",
    ],
)
def test_one_model_from_its_file_to_its_measures(name, ok, write, network, tmp_path):
    path, ids = write(name)
    kind = path.stem
    training = {"epochs": 12, "batch_size": 8, "lr": 0.05, "schedule": "constant"}
    training |= {"optimizer": "sgd", "warmup_epochs": 0, "rewind_epoch": 1, "threads": 1}
    training |= {"weight_decay": 0.0}
    words = [word for key, value in training.items() for word in (f"--{key}", value)]
    original = ok("train", "--data", path, "--model", network(kind), *words)["run"]
    sparse = ok("prune", original, "--method", "omp", "--sparsity", 0.3)["run"]
    trained = set(load(DataSpec(source=str(path))).train.ids)
    assert trained < set(ids)
    listed = tmp_path / "ids.txt"
    listed.write_text("".join(f"{each}\n" for each in ids[:9] if each in trained))
    forget = ["--forget", f"ids:{listed}"]
    exact = ok("unlearn", sparse, *forget, "--method", "retrain")["run"]
    tuned = ok("unlearn", sparse, *forget, "--method", "ft", "--epochs", 1)["run"]
    found = ok("evaluate", tuned, "--reference", exact)
    assert found["metrics"]["ta"] > 80
    assert found["metrics"]["weight_distance"] > 0
    assert found["gap"] is not None


def test_what_cannot_work_says_so_in_one_line(ok, command, write, network, tmp_path):
    numbers, tokens, bert = write("numbers.csv")[0], write("tokens.npz")[0], network("tokens")
    start = "--epochs", 1, "--warmup_epochs", 0, "--rewind_epoch", 0
    trained = ok("train", "--data", tokens, "--model", bert, *start)["run"]
    train = "train", "--data"
    for words, message in (
        (
            (*train, numbers, "--model", "mlp", "--crop_padding", 1),
            "crop_padding and flip change images, and the data are vectors",
        ),
        (
            (*train, tokens, "--model", bert, "--flip", "true"),
            "crop_padding and flip change images, and the data are tokens",
        ),
        ((*train, numbers, "--model", "resnet8"), "'resnet8' takes images, and the data are vect"),
        ((*train, numbers, "--model", bert), "takes images or tokens, and the data are vectors"),
        ((*train, tokens, "--model", "mlp"), "'mlp' takes vectors, and the data are tokens"),
        ((*train, "digits", "--model", "mlp"), "'mlp' takes vectors, and the data are images"),
        ((*train, numbers, "--model", "mpl"), "unknown model 'mpl': expected one of"),
        (("prune", trained, "--method", "synflow"), "synflow sends ones through the network"),
    ):
        code, out, err = command(*words, "--store", tmp_path / "store")
        assert code == 2, err
        assert not out
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert message in line
        assert err.splitlines()[-1] == line
