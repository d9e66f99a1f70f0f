"""`expunge influence` and `expunge transfer`, on digits."""

import json

import pytest
from tests.cli.conftest import ok
from tests.studies.test_transfer import RECIPE

TARGET = "--target", "digits", "--train-limit", 60, "--test-limit", 40, "--seed", 5
NETWORK = "--data", "digits", "--train-limit", 100, "--model", "resnet8", "--width", 0.25


@pytest.fixture
def store(tmp_path):
    return "--store", tmp_path / "runs", "--device", "cpu"


@pytest.fixture
def source(command, store):
    words = "--epochs", 1, "--batch-size", 20, "--lr", 0.05, "--schedule", "constant"
    return json.loads(ok(command("train", *NETWORK, *words, *store, "--json")))["run"]


def test_the_classes_of_a_model_are_ranked(command, source, store):
    code, out, err = command("influence", source, *TARGET, "--subsets", 10, *store)
    assert code == 0, err
    assert "Influence of 10 classes of digits on digits" in out
    assert "n = 10 models of digits, each without 50 % of the classes" in " ".join(out.split())
    assert "influence: 10 models of digits, each without 50 % of its 10 classes" in err
    found = json.loads(ok(command("influence", source, *TARGET, "--subsets", 10, *store, "--json")))
    assert sorted(found["ranking"]) == list(range(10))
    assert found["samples"]["validation"] > 0
    assert found["run"] == source


def test_any_model_is_measured_on_the_target(command, source, store):
    words = source, *TARGET, "--fine-tune", 1, "--lr", 0.05
    code, out, err = command("transfer-run", *words, *store)
    assert code == 0, err
    lines = out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["linear probe", "fine-tuned"]
    found = json.loads(ok(command("transfer-run", *words, *store, "--json")))["found"]
    for line, way in zip(lines, found.values(), strict=True):
        assert (
            f"{way['accuracy']['test']:.2f} % of 40 test samples of digits (95 % interval" in line
        )
    assert set(found) == {"linear probe", "fine-tuned"}
    code, _, err = command("transfer-run", source, *TARGET, "--lr", 0.05, *store)
    assert code == 2
    assert err.splitlines()[-1].endswith(
        "--lr 0.05 is of --fine-tune EPOCHS: add it, or leave --lr out"
    )
    words = source, *TARGET, "--fine-tune", 1, "--lr", 1e30
    code, out, err = command("transfer-run", *words, *store)
    assert code == 1
    assert "failed: fine-tuned: diverged: transfer-" in err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--subsets", 9), "9 subset models are fewer than the 10 source classes"),
        (("--subsets", 10, "--share", 1), "share must be between 0 and 1"),
        (("--subsets", 10, "--share", 0.01), "a share of 0.01 of 10 classes is 0"),
        (("--subsets", 10, "--image-size", 4), "expected the same; set image_size"),
        (("--subsets", 10, "--validation-fraction", 0), "no validation samples"),
        (("--subsets", 10, "--no-such", 1), "unknown setting 'no_such'"),
    ],
)
def test_bad_input_of_influence_is_one_line(command, source, store, words, line):
    code, _, err = command("influence", source, *TARGET, *words, *store)
    assert code == 2
    assert line in err.splitlines()[-1]


def test_a_study_ends_with_tables_figures_and_a_document(command, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    words = path, "--out", tmp_path / "out", "--device", "cpu", "--seeds", 1
    plan = json.loads(ok(command("transfer", *words, "--dry-run", "--json")))
    # A shard needs all subset models before it knows what to forget, also those of other shards.
    code, out, err = command("transfer", *words, "--shard", "1/2")
    assert code == 0, err
    assert "Accuracy on digits in %, dense" in out
    assert "Claim: forgetting the 2 most harmful classes by FT" in " ".join(out.split())
    document = json.loads((tmp_path / "out/transfer.json").read_text())
    assert document["reproduce"] == f"expunge transfer {path} --seeds 1"
    assert {row["seed"] for row in document["removals"]} == {0}
    assert (tmp_path / "out/transfer-influence.svg").exists()
    # The dry run has as many nodes as were made, whichever classes are forgotten.
    after = json.loads(ok(command("transfer", *words, "--dry-run", "--json")))
    assert after["missing"] + after["there"] == plan["missing"]
    kinds = [node["kind"] for node in plan["nodes"]]
    assert kinds.count("transfer") == 1 + 10 + 2 * 4 - 1
    code, _, err = command("transfer", path, "--out", tmp_path / "out", "--seeds", 2)
    assert code == 2
    assert "holds an experiment with other settings (seeds" in err
