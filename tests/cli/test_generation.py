"""Generation from the command line: train, forget a class, look at images, measure."""

import json

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import ok

from expunge.cli.options import DEFAULT_STORE
from expunge.graph.kinds.generate import load_images


def test_a_class_is_forgotten_looked_at_and_measured(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ("--train-limit", 100, "--test-limit", 30, "--width", 0.5, "--epochs", 1)
    original = ok(command("train", "--data", "digits", "--model", "unet", *settings)).strip()
    unlearned = ok(
        command("unlearn", original, "--forget", "class:3", "--method", "salun", "--epochs", 1)
    ).strip()
    asked = ("--per-class", 2, "--steps", 2, "--json")
    before, after = (
        json.loads(ok(command("generate", run, "--out", f"{name}.png", *asked)))
        for run, name in ((original, "before"), (unlearned, "after"))
    )
    assert before["rows"] == [str(number) for number in range(10)]
    picture = np.array(Image.open("before.png"))
    assert picture.shape == (10 * 8, 2 * 8)
    images = load_images(DEFAULT_STORE / before["run"])["images"]
    assert np.array_equal(picture[24:32, 8:], images[3 * 2 + 1, 0])
    assert not np.array_equal(picture, np.array(Image.open("after.png")))
    assert after["run"] != before["run"]


def test_what_does_not_fit_is_refused_in_one_line(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ("--train-limit", 60, "--test-limit", 30, "--epochs", 1)
    small = ("--model", "resnet8", "--width", 0.25, *settings)
    classifier = ok(command("train", "--data", "digits", *small)).strip()
    cases = [
        (("generate", classifier, "--out", "a.png"), "generating images is for models of the task"),
        (("generate", classifier, "--out", "a.jpg"), "expected a name that ends in .png"),
        (("generate", classifier, "--out", "no/a.png"), "the folder no does not exist"),
        (("generate", "train-0000", "--out", "a.png"), "train-0000"),
        (
            ("train", "--data", "breast_cancer", "--model", "unet"),
            "'unet' takes images, and the data are vectors",
        ),
        (
            ("train", "--data", "digits", "--model", "unet", "--normalise", "imagenet"),
            "'unet' takes images as they are",
        ),
        (
            ("train", "--data", "digits", "--image-size", 9, "--model", "unet"),
            "expected sides that are multiples of 2, got 9x9",
        ),
    ]
    for words, message in cases:
        code, _, err = command(*words)
        assert code == 2, words
        assert message in err
        assert "Traceback" not in err
    assert not (tmp_path / "a.png").exists()


def test_a_missing_library_is_named_with_its_extra(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    code, _, err = command("train", "--data", "digits", "--model", "unet")
    assert code == 2
    assert "pip install 'expunge[generation]'" in err


@pytest.mark.parametrize("name", ["salun", "redirect", "random_label"])
def test_methods_and_metrics_say_for_which_tasks_they_are(command, name):
    (entry,) = json.loads(ok(command("methods", name, "--json")))
    assert entry["tasks"] == ["classify", "generate"]
    (metric,) = json.loads(ok(command("metrics", "frechet", "--json")))
    assert metric["tasks"] == ["generate"]


OWN = """
import torch

class Small(torch.nn.Module):
    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.classes = torch.nn.Embedding(num_classes, 4)
        self.first = torch.nn.Conv2d(in_channels, 4, 3, padding=1)
        self.last = torch.nn.Conv2d(4, in_channels, 3, padding=1)

    def forward(self, inputs):
        about = self.classes(inputs["condition"]) + inputs["step"][:, None] / 1000
        return self.last(torch.relu(self.first(inputs["noisy"]) + about[:, :, None, None]))
"""


def test_a_network_of_ones_own_can_generate(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_denoiser.py").write_text(OWN)
    settings = ("--train-limit", 60, "--test-limit", 30, "--epochs", 1, "--lr", 0.01)
    network = ("--model", "own_denoiser:Small", "--task", "generate")
    original = ok(command("train", "--data", "digits", *network, *settings)).strip()
    unlearned = ok(
        command("unlearn", original, "--forget", "class:3", "--method", "redirect", "--epochs", 1)
    ).strip()
    asked = ("--per-class", 1, "--steps", 2, "--json")
    made = json.loads(ok(command("generate", unlearned, "--out", "after.png", *asked)))
    assert np.array(Image.open("after.png")).shape == (80, 8)
    assert made["rows"][3] == "3"
    code, _, err = command("train", "--data", "digits", "--model", "resnet8", *network[2:])
    assert code == 2
    assert "task is for networks of your own" in err
