"""`expunge detectors`, and forgetting what one suspects, as a person at a terminal meets it."""

import json

from tests.cli.conftest import ok

from expunge.detectors import DETECTORS
from expunge.runs import Store


def test_detectors_are_listed_with_needs_and_settings(command):
    listed = {entry["name"]: entry for entry in json.loads(ok(command("detectors", "--json")))}
    assert list(listed) == [detector.name for detector in DETECTORS]
    for detector in DETECTORS:
        entry = listed[detector.name]
        assert set(entry["needs"]) == detector.needs
        assert entry["summary"]
        assert all(setting["help"] for setting in entry["settings"])
    assert "STRIP" in ok(command("detectors"))
    assert "--components" in ok(command("detectors", "activation_clustering"))


def test_an_unknown_one_is_one_line_and_exit_code_2(command):
    code, out, err = command("detectors", "stripe")
    assert (code, out) == (2, "")
    assert "unknown detector 'stripe'" in err
    assert "did you mean 'strip'" in err


def test_a_model_forgets_what_a_detector_suspects(command, tmp_path):
    store = ["--store", tmp_path / "runs"]
    data = ["--data", "digits", "--train-limit", 300, "--test-limit", 150]
    network = ["--model", "resnet8", "--width", 0.25, "--epochs", 3, "--batch-size", 50]
    schedule = ["--schedule", "one_cycle", "--warmup-epochs", 1, "--rewind-epoch", 0]
    train = json.loads(ok(command("train", *data, *network, *schedule, *store, "--json")))["run"]
    words = ["--forget", "suspected:spectral_signatures", "--method", "ft", "--epochs", 1]
    code, out, err = command("unlearn", train, *words, *store, "--json")
    assert code == 0, err
    unlearned = Store(tmp_path / "runs").node(json.loads(out)["run"])
    (line,) = [each for each in err.splitlines() if "training samples to forget" in each]
    assert "of 300 training samples to forget (spectral_signatures, threshold from 50 clean" in line
    forget = Store(tmp_path / "runs").node(unlearned.parents["forget"])
    assert Store(tmp_path / "runs").node(forget.parents["suspects"]).parents["model"] == train
    code, out, err = command("unlearn", train, "--forget", "suspected:spectral", *store)
    assert (code, out) == (2, "")
    assert "unknown detector 'spectral'" in err
