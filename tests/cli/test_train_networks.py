"""Networks by adapter, and the recipe that follows the architecture, through the commands."""

import json
import sys

import pytest
from transformers import ViTConfig

from expunge.models.trainings import training_for
from expunge.studies.recipe import parse_experiment

QUICK = ["--epochs", "1", "--warmup_epochs", "0", "--rewind_epoch", "0"]


@pytest.fixture
def folder(tmp_path):
    """A vision transformer's configuration, for other images than the digits are."""
    config = ViTConfig(
        image_size=32,
        patch_size=4,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    config.save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


@pytest.fixture
def command(command, tmp_path):
    """The command, over a store of this test's own."""
    return lambda *words: command(*words, "--store", tmp_path / "store")


def test_a_network_by_adapter_is_trained_pruned_and_unlearned(command, folder, tmp_path):
    train = ["train", "--data", "digits", "--model", f"hf:{folder}", *QUICK]
    code, out, err = command(*train, "--train-limit", 200, "--json")
    assert code == 0, err
    made = json.loads(out)
    described = json.loads((tmp_path / "store" / made["run"] / "model.json").read_text())
    assert described["image_size"] == [8, 8]
    assert described["in_channels"] == 1
    assert len(described["mean"]) == 1
    prune = ["prune", made["run"], "--layers", "conv,linear", "--sparsity", "0.5"]
    code, out, err = command(*prune, "--rewind", "false", "--json")
    assert code == 0, err
    sparse = json.loads(out)["run"]
    code, _, err = command("unlearn", sparse, "--forget", "class:3", "--method", "retrain")
    assert code == 0, err
    # Another configuration in the same folder is another network, and another run.
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    code, out, err = command(*train, "--train-limit", 200, "--json")
    assert code == 0, err
    assert json.loads(out)["run"] != made["run"]


def test_a_missing_library_or_folder_is_one_line_and_exit_code_2(command, tmp_path, monkeypatch):
    train = ["train", "--data", "digits", "--model"]
    code, _, err = command(*train, f"hf:{tmp_path / 'nowhere'}")
    assert code == 2
    assert "expected a folder with a config.json" in err
    for name, library, extra in (
        ("swin_t", "transformers", "expunge[transformers]"),
        ("timm:resnet18", "timm", "expunge[timm]"),
    ):
        monkeypatch.setitem(sys.modules, library, None)
        code, _, err = command(*train, name)
        assert code == 2
        assert f"pip install '{extra}'" in err
        assert len(err.strip().splitlines()[-1]) < 200


@pytest.mark.parametrize("name", ["resnet8", "swin_t"])
def test_a_recipe_files_training_begins_at_the_architectures(name):
    text = f"""
    title = "t"
    scenarios = ["class:1"]
    [data]
    source = "digits"
    [network]
    name = "{name}"
    [training]
    epochs = 70
    [methods.ft]
    """
    training = parse_experiment(text, "t").training
    expected = training_for(name)
    assert training.epochs == 70
    assert (training.optimizer, training.lr) == (expected.optimizer, expected.lr)
    forced = parse_experiment(text.replace("epochs = 70", 'optimizer = "sgd"\nlr = 0.3'), "t")
    assert (forced.training.optimizer, forced.training.lr) == ("sgd", 0.3)


def test_a_commands_training_begins_at_the_architectures(command, folder, monkeypatch):
    """With no words the architecture's recipe; with some, that recipe but for those."""
    from expunge.graph.kinds import train

    asked = []

    def stop(graph, data_id, origin, *_):
        asked.append(origin.training)
        raise SystemExit(0)

    monkeypatch.setattr(train, "add_train", stop)
    command("train", "--data", "digits", "--model", f"hf:{folder}")
    command("train", "--data", "digits", "--model", f"hf:{folder}", "--lr", "0.001")
    command("train", "--data", "digits", "--model", "resnet8", "--epochs", "3")
    assert asked[0] == training_for("hf:x")
    assert (asked[1].optimizer, asked[1].lr) == ("adamw", 0.001)
    assert (asked[2].optimizer, asked[2].epochs) == ("sgd", 3)
