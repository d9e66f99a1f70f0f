"""Weights from elsewhere, through the command: measured, and refused where they are wrong."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.networks_of_different_build import BUILDS
from torch.nn import functional as F

MEAN, STD = 0.46, 0.05
NETWORK = "tests.networks_of_different_build:batch_norm"
(BUILD,) = [build for build in BUILDS if build.name == "batch_norm"]


def images(count, seed):
    """Dim stripes, whose place is their class, in noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pixels = rng.normal(110, 8, (count, 8, 8))
    for image, label in zip(pixels, labels, strict=True):
        image[2 * label : 2 * label + 3] += 20
    return pixels.clip(0, 255).astype(np.uint8), labels


def normalised(pixels):
    return ((torch.from_numpy(pixels).float() / 255 - MEAN) / STD)[:, None]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The data, and a network trained on them with its normalisation outside."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (x, y), (x_test, y_test) = images(240, 0), images(120, 1)
    np.savez(folder / "stripes.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    model = BUILD.build().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(normalised(x)), torch.from_numpy(y)).backward()
        optimizer.step()
    torch.save(model.state_dict(), folder / "plain.pt")
    return folder


def correct(state, files):
    """How many test samples the user's own code classifies correctly, with these weights."""
    model = BUILD.build().eval()
    model.load_state_dict(state)
    x, y = images(120, 1)
    with torch.no_grad():
        return int((model(normalised(x)).argmax(1).numpy() == y).sum())


@pytest.fixture
def adopt(command, files, tmp_path):
    """Adopt the network's weights, with further words, in a store of this test's own."""

    def run(*words, weights=files / "plain.pt"):
        train = "train", "--data", files / "stripes.npz", "--model", NETWORK, "--epochs", 1
        return command(*train, "--weights", weights, *words, "--store", tmp_path / "store")

    return run


def models_in(store):
    return [path for path in store.iterdir() if path.name.startswith("train-")]


def test_a_network_whose_normalisation_is_outside_is_refused_with_what_to_do(adopt, tmp_path):
    code, out, err = adopt()
    assert (code, out) == (2, "")
    line = err.splitlines()[-1]
    assert line.startswith("error: the network with these weights classifies only ")
    assert "of 120 test samples right: with --normalise data it would be " in line
    assert "Nothing was adopted" in line
    assert not models_in(tmp_path / "store")


def test_a_better_normalisation_is_tried_in_place_of_the_networks_own(adopt):
    better = [
        adopt(*words)[2].partition("with --normalise data it would be ")[2]
        for words in ((), ("--mean", 0.9, "--std", 0.2))
    ]
    assert better[0].startswith(("8", "9", "100"))
    assert better[1][:6] == better[0][:6]


def test_a_result_that_is_far_worse_is_said_and_recorded(adopt, command, tmp_path):
    run = adopt("--normalise", "data")[1].strip()
    words = "--forget", "class:1", "--method", "ga", "--epochs", 3, "--lr", 0.5
    code, _, err = command("unlearn", run, *words, "--store", tmp_path / "store")
    assert code == 0, err
    said = "note: the result of ga is far worse on retained samples than the model before: "
    assert said in " ".join(err.split())
    (record,) = (tmp_path / "store").glob("unlearn-*/record.json")
    (note,) = json.loads(record.read_text())["notes"]
    assert note.startswith(said.removeprefix("note: "))


def test_with_its_normalisation_it_is_as_good_as_in_the_users_own_code(
    adopt, command, files, tmp_path
):
    store = tmp_path / "store"
    code, out, err = adopt("--mean", MEAN, "--std", STD, "--expect-accuracy", 90, "--json")
    assert code == 0, err
    found = json.loads(out)
    state = torch.load(files / "plain.pt", weights_only=True)
    own = correct(state, files)
    assert own > 100
    test = found["accuracy"]["test"]
    assert (test["correct"], test["count"]) == (own, 120)
    assert test["accuracy"] == pytest.approx(100 * own / 120)
    assert found["accuracy"]["train"]["count"] == 240
    assert f"{test['accuracy']:.1f} % of 120 test samples correctly" in err
    listed = " ".join(command("runs", "list", "--store", store)[1].split())
    assert f"TA {test['accuracy']:.2f}" in listed
    record = json.loads((store / found["run"] / "record.json").read_text())
    assert record["accuracy"] == found["accuracy"]
    # What unlearning writes loads in the user's own network, which normalises outside.
    gone = tmp_path / "gone.safetensors"
    words = "--forget", "class:1", "--method", "ga", "--epochs", 1, "--lr", 1e-9, "--out", gone
    code, _, err = command("unlearn", found["run"], *words, "--store", store)
    assert code == 0, err
    written = load_file(gone)
    assert written.keys() == state.keys()
    assert correct(written, files) == own
    assert torch.allclose(written["0.weight"], state["0.weight"], atol=1e-5)


@pytest.mark.parametrize("words", [("--normalise", "data"), ("--mean", "0.46", "--std", "0.05")])
def test_the_normalisation_is_part_of_the_run(adopt, words):
    plain = adopt("--expect-accuracy", 1)[1].strip()
    other = adopt(*words)[1].strip()
    assert other != plain
    assert other.startswith("train-")


def test_an_accuracy_below_what_is_expected_is_refused(adopt, tmp_path):
    code, _, err = adopt("--expect-accuracy", 99.9)
    assert code == 2
    assert "and 99.9 % were expected (chance allowed for, at least 9" in err
    assert "with --normalise data it would be" in err
    code, _, err = adopt("--expect-accuracy", 101)
    assert code == 2
    assert "expect_accuracy must be a finite number in 0..100, got 101" in err
    # What was adopted under one expectation is held to the next.
    low = adopt("--expect-accuracy", 1)
    assert low[0] == 0
    assert len(models_in(tmp_path / "store")) == 1
    code, _, err = adopt("--expect-accuracy", 99.9)
    assert code == 2
    assert "99.9 % were expected" in err


def test_weights_that_know_nothing_are_refused_unless_that_is_expected(adopt, tmp_path):
    torch.save(BUILD.build(5).state_dict(), tmp_path / "fresh.pt")
    code, _, err = adopt(weights=tmp_path / "fresh.pt")
    assert code == 2
    assert "no better than always answering the most frequent class (33.3 %)" in err
    assert "Likely reasons: the normalisation is not in the network" in err
    code, _, err = adopt("--expect-accuracy", 33, weights=tmp_path / "fresh.pt")
    assert code == 0, err


def test_classes_in_another_order_are_recognised(adopt, files, tmp_path):
    state = torch.load(files / "plain.pt", weights_only=True)
    (last,) = [name.removesuffix(".bias") for name in state if state[name].shape == (3,)]
    for name in ("weight", "bias"):
        state[f"{last}.{name}"] = state[f"{last}.{name}"].roll(1, 0)
    torch.save(state, tmp_path / "rolled.pt")
    code, _, err = adopt("--normalise", "data", weights=tmp_path / "rolled.pt")
    assert code == 2
    assert "with its classes in another order it would be" in err
    assert "the data (0, 1, 2)" in err


def test_settings_that_do_not_fit_are_refused_before_anything_is_made(adopt, command, tmp_path):
    for words, message in (
        (("--normalise", "imagenet"), "mean must have one value for each of 1 channels, got 3"),
        (("--mean", 0.5), "mean and std must be given together"),
        (("--mean", 0.5, "--std", 0), "std must be more than 0"),
        (("--mean", 0.5, "--std", 1, "--normalise", "data"), "not both"),
        (("--normalise", "cifar"), "normalise must be one of imagenet, data, off"),
    ):
        code, _, err = adopt(*words)
        assert code == 2
        assert message in err.splitlines()[-1]
    code, _, err = command("train", "--data", "digits", "--model", NETWORK, "--weights-key", "ema")
    assert code == 2
    assert "weights_key is for adopted weights" in err
    assert not (tmp_path / "store").exists()


def test_what_a_checkpoint_holds_besides_is_said(adopt, files, tmp_path):
    state = torch.load(files / "plain.pt", weights_only=True)
    wrapped = {f"model.{name}": tensor for name, tensor in state.items()}
    averaged = {name: tensor * 2 for name, tensor in state.items()}
    checkpoint = {"state_dict": wrapped, "model_ema": averaged, "epoch": 3, "optimizer": {}}
    path = tmp_path / "last.ckpt"
    torch.save(checkpoint, path)
    code, out, err = adopt("--normalise", "data", "--json", weights=path)
    assert code == 0, err
    notes = json.loads(out)["notes"]
    assert "those under 'state_dict' in last.ckpt; it also holds model_ema" in notes[0]
    assert notes[1] == "not used from last.ckpt: epoch, optimizer"
    assert "'model.'" in notes[2]
    for note in notes:
        assert f"note: {note}" in err
    words = "--weights-key", "model_ema", "--expect-accuracy", 1, "--json"
    code, out, err = adopt(*words, weights=path)
    assert code == 0, err
    assert "those under 'model_ema' in last.ckpt; it also holds state_dict" in out


def test_a_sparse_model_from_elsewhere_stays_sparse(adopt, command, files, tmp_path):
    store = tmp_path / "store"
    state = torch.load(files / "plain.pt", weights_only=True)
    masks = {}
    for name in ("0.weight", "3.weight"):
        masks[name] = (state[name].abs() > state[name].abs().quantile(0.4)).float()
    zeros = {name: state[name] * masks.get(name, 1) for name in state}
    under_prune = {name: tensor for name, tensor in state.items() if name not in masks}
    under_prune |= {f"{name}_orig": state[name] for name in masks}
    under_prune |= {f"{name}_mask": mask for name, mask in masks.items()}
    for number, weights in enumerate((zeros, under_prune)):
        torch.save(weights, tmp_path / f"{number}.pt")
        words = "--mean", MEAN, "--std", STD, "--expect-accuracy", 30, "--json"
        code, out, err = adopt(*words, weights=tmp_path / f"{number}.pt")
        assert code == 0, err
        run = json.loads(out)["run"]
        assert "% of the weights in 2 layers are zero: the model is taken as sparse" in err
        assert ("the masks in the file were applied to" in err) == bool(number)
        gone = tmp_path / f"{number}.safetensors"
        words = "--forget", "class:1", "--method", "ft", "--epochs", 1, "--out", gone
        code, _, err = command("unlearn", run, *words, "--store", store)
        assert code == 0, err
        written = load_file(gone)
        assert written.keys() == state.keys()
        for name, mask in masks.items():
            assert torch.equal(written[name] != 0, mask.bool())
        assert not torch.equal(written["0.weight"], zeros["0.weight"])


def test_a_folder_of_transformers_goes_in_and_comes_out(command, tmp_path, files):
    from transformers import AutoModelForImageClassification, ViTConfig

    config = ViTConfig(
        image_size=8,
        patch_size=4,
        num_channels=1,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        num_labels=3,
    )
    folder, out, store = tmp_path / "vit", tmp_path / "gone", tmp_path / "store"
    AutoModelForImageClassification.from_config(config).save_pretrained(folder)
    processor = {"image_mean": [MEAN], "image_std": [STD], "do_normalize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    train = "train", "--data", files / "stripes.npz", "--epochs", 2, "--warmup_epochs", 0
    train = *train, "--store", store, "--weights", folder, "--expect-accuracy", 0
    code, printed, err = command(*train, "--model", f"hf:{folder}")
    assert code == 0, err
    run = printed.strip()
    described = json.loads((store / run / "model.json").read_text())
    assert (described["mean"], described["std"]) == ([MEAN], [STD])
    words = "--forget", "class:1", "--method", "ft", "--epochs", 1, "--store", store
    code, _, err = command("unlearn", run, *words, "--out", out)
    assert code == 0, err
    assert "copied from" in err
    _, found = AutoModelForImageClassification.from_pretrained(out, output_loading_info=True)
    assert not any(found.values())
    assert (out / "preprocessor_config.json").exists()
    code, _, err = command("unlearn", run, *words, "--out", out)
    assert code == 2
    assert "already exists" in err
    # A folder is for these networks only.
    code, _, err = command(*train, "--model", NETWORK)
    assert code == 2
    assert "are a folder, which is for --model hf:FOLDER" in err
    train = "train", "--data", files / "stripes.npz", "--model", f"hf:{folder}", "--epochs", 0
    code, _, err = command(*train, "--warmup_epochs", 0, "--store", store)
    assert "are not used, and training starts from random ones" in err
