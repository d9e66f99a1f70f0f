"""`expunge cleanse`: what is forgotten, what is measured, and what is refused before any work."""

import json

import numpy as np
import pytest
import torch

import expunge
from expunge.data.edits.apply import apply_edits
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.graph.model_files import load_model
from expunge.runs import Store
from expunge.scenarios.id_file import read_ids

PATCH = {"size": 2, "row": 0, "column": 0, "value": 255}
RECIPE = """
title = "Poisoned"
scenarios = ["edited:badnets"]
metrics = ["ua"]
[data]
source = "digits"
train_limit = 120
test_limit = 60
[data.edits.badnets]
size = 2
row = 0
column = 0
value = 255
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
batch_size = 32
lr = 0.1
schedule = "one_cycle"
warmup_epochs = 1
rewind_epoch = 1
[methods.ft]
epochs = 1
"""
CLEAN = [
    "train", "--data", "digits", "--train-limit", "120", "--test-limit", "60",
    "--model", "resnet8", "--width", "0.25", "--epochs", "1", "--batch_size", "32",
    "--schedule", "one_cycle", "--rewind_epoch", "1",
]  # fmt: skip
FT = ("--epochs", "1", "--batch-size", "32")
TRIGGER = ("--trigger", "badnets", *(f"--trigger.{name}={value}" for name, value in PATCH.items()))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cleanse")
    (folder / "poisoned.toml").write_text(RECIPE)
    return folder


@pytest.fixture
def answer(command, place):
    """The JSON that a command over the store prints."""

    def run(*words):
        code, out, err = command(*words, "--store", place / "runs", "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def poisoned(command, place):
    """The id of a model that learnt poisoned data."""
    words = ("--out", place / "grid", "--store", place / "runs")
    code, _, err = command("bench", place / "poisoned.toml", *words)
    assert code == 0, err
    results = json.loads((place / "grid" / "results.json").read_text())
    return results["cells"][0]["run"]


@pytest.fixture
def clean(answer):
    """The id of a model whose data have no edits."""
    return answer(*CLEAN)["run"]


def by_hand(folder, run, target=0):
    """ASR, ASR over all, and SA of a model in a store, from its outputs."""
    test = load(DataSpec(source="digits", train_limit=120, test_limit=60)).test
    images = next(iter(test.inputs.batches([torch.arange(60)])))
    patched = images.clone()
    patched[:, :, :2, :2] = 255
    model = load_model(Store(folder).path(run))[0].eval()
    with torch.no_grad():
        called, right = (model(each.float() / 255).argmax(1) for each in (patched, images))
    fooled, others = called == target, test.labels != target
    values = (fooled[others], fooled, right == test.labels)
    return [100 * float(each.double().mean()) for each in values]


def test_what_the_edit_poisoned_is_forgotten_and_measured(answer, place, poisoned):
    out = place / "whole"
    sparse = ("--prune", "omp", "--sparsity", "0.5")
    found = answer("cleanse", poisoned, *FT, *sparse, "--known", "0.5,0.25,1", "--out", out)
    assert [(row["stage"], row["share"], row["forgotten"]) for row in found["stages"]] == [
        ("given", None, 0),
        ("pruned", None, 0),
        ("cleansed", 0.25, 3),
        ("cleansed", 0.5, 6),
        ("cleansed", 1.0, 12),
    ]
    for row in found["stages"]:
        numbers = [row["metrics"][name] for name in ("asr", "asr_all", "ta")]
        assert numbers == pytest.approx(by_hand(place / "runs", row["run"]))
        counted = row["samples"]["asr"]
        assert 100 * counted["count"] / counted["n"] == row["metrics"]["asr"]
        assert counted["low"] <= row["metrics"]["asr"] <= counted["high"]
        assert row["samples"]["asr_all"]["n"] == 60
    last = found["stages"][-1]["run"]
    assert found["run"] == last
    assert answer("runs", "show", last)["parents"]["model"] == found["stages"][1]["run"]
    # What lies in the folder is the last model, and what it has forgotten.
    _, touched = apply_edits(*edited())
    assert set(read_ids(out / "cleansed.ids.csv")) == set(touched["badnets"])
    kept = expunge.load_model(Store(place / "runs").path(last)).state_dict()
    written = safetensors(out / "cleansed.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in written.items())
    assert json.loads((out / "cleanse.json").read_text())["stages"] == found["stages"]
    assert "share of the poison" in (out / "known.svg").read_text()


def edited():
    spec = DataSpec(source="digits", train_limit=120, test_limit=60, edits={"badnets": PATCH})
    return load(spec), spec


def safetensors(path):
    from safetensors.torch import load_file

    return load_file(path)


def test_a_trigger_may_be_given_for_data_without_one(answer, place, clean):
    """The same model and trigger give what the weights say, and ids what the file says."""
    ids = place / "ids.txt"
    ids.write_text("\n".join(load(DataSpec(source="digits", train_limit=120)).train.ids[:7]))
    found = answer("cleanse", clean, "--ids", ids, *FT, *TRIGGER)
    assert [row["forgotten"] for row in found["stages"]] == [0, 7]
    for row in found["stages"]:
        numbers = [row["metrics"][name] for name in ("asr", "asr_all", "ta")]
        assert numbers == pytest.approx(by_hand(place / "runs", row["run"]))
    assert found["verdict"].startswith("no cleanse verdict: the given model's ASR is")
    # Another target is another question about the same models.
    other = answer("cleanse", clean, "--ids", ids, *FT, *TRIGGER, "--trigger.target", "4")
    assert other["run"] == found["run"]
    for row in other["stages"]:
        numbers = [row["metrics"][name] for name in ("asr", "asr_all", "ta")]
        assert numbers == pytest.approx(by_hand(place / "runs", row["run"], target=4))


def test_a_trigger_of_ones_own_replaces_that_of_the_data(answer, poisoned):
    whole = answer("cleanse", poisoned, *FT)
    other = answer("cleanse", poisoned, *FT, *TRIGGER, "--trigger.target=4")
    assert other["run"] == whole["run"]
    assert other["stages"][0]["metrics"]["asr"] != whole["stages"][0]["metrics"]["asr"]


def test_retrain_stands_beside_it_where_asked_for(answer, place, poisoned):
    sparse = ("--prune", "omp", "--sparsity", "0.5")
    found = answer("cleanse", poisoned, *FT, *sparse, "--retrain")
    stages = {row["stage"]: row for row in found["stages"]}
    assert [*stages] == ["given", "pruned", "retrained", "cleansed"]
    node = answer("runs", "show", stages["retrained"]["run"])
    assert node["params"]["method"] == "retrain"
    assert node["parents"]["model"] == stages["pruned"]["run"]
    assert node["parents"]["forget"] == answer("runs", "show", found["run"])["parents"]["forget"]
    assert stages["retrained"]["forgotten"] == 12
    numbers = [stages["retrained"]["metrics"][name] for name in ("asr", "asr_all", "ta")]
    assert numbers == pytest.approx(by_hand(place / "runs", stages["retrained"]["run"]))


def test_without_a_trigger_there_is_no_attack_success(answer, command, place, clean):
    found = answer("cleanse", clean, "--forget", "class:3", *FT)
    assert "asr" not in found["stages"][0]["metrics"]
    assert found["verdict"] == "no trigger is known, so that attack success cannot be measured"
    words = ("cleanse", clean, "--forget", "class:3", *FT, "--store", place / "runs")
    code, out, _ = command(*words)
    assert code == 0
    assert "ASR" not in out
    assert "No trigger is known" in out


def test_suspects_are_forgotten_with_the_settings_that_were_given(answer, place, poisoned):
    trusted = place / "trusted.txt"
    trusted.write_text("\n".join(edited()[0].test.ids[:40]))
    words = ("--suspect", "spectral_signatures", "--clean-ids", trusted, *FT)
    found = answer("cleanse", poisoned, *words, "--suspect.false_positives", "0.2")
    assert found["scenario"] == "suspected:spectral_signatures"
    assert "false positive rate of 0.2" in found["suspects"]
    assert found["forgotten"] > 0
    assert found["forgotten"] == len(answer("runs", "ids", found["run"])["ids"])


def test_a_dry_run_makes_nothing(answer, place, poisoned):
    before = {path.name for path in (place / "runs").iterdir()}
    plan = answer("cleanse", poisoned, "--method", "ga", "--dry-run")
    assert any("unlearn" in each for each in json.dumps(plan).split('"'))
    assert {path.name for path in (place / "runs").iterdir()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--forget", "class:3", *TRIGGER, "--trigger.size=9"), "patch of 9 pixels is larger"),
        (("--forget", "class:3", *TRIGGER, "--trigger.row=7"), "is not inside an image of 8"),
        (("--forget", "class:3", *TRIGGER, "--trigger.target=10"), "a class in 0..9, got 10"),
        (("--forget", "class:3", *TRIGGER, "--trigger.share=1"), "between 0 and 1"),
        (("--forget", "class:3", "--trigger", "relabel"), "an edit without a trigger: relabel"),
        (("--forget", "class:3", "--trigger", "badnet"), "unknown edit 'badnet'"),
        (("--forget", "class:3", "--trigger.size", "2"), "needs --trigger NAME"),
        (("--forget", "class:3", "--sparsity", "0.5"), "add --prune omp"),
        (("--forget", "class:3", "--clean-ids", "a.txt"), "needs --suspect DETECTOR"),
        (("--forget", "class:3", "--known", "0.5"), "expected edited:EDIT, got 'class:3'"),
        (("--forget", "class:3", "--known", "much"), "expected shares between 0 and 1"),
        (("--forget", "class:3", "--known", "0"), "above 0"),
        (("--forget", "class:3", "--known", "2"), "a known share must be"),
        (("--forget", "class:3", "--known", "0.5,0.5"), "must be different"),
        (("--forget", "class:3", "--ids", "a.txt"), "got --forget and --ids"),
        (("--forget", "edited:badnets"), "the data has no edits"),
        (("--ids", "none.txt"), "cannot read the ids"),
        (("--suspect", "nobody"), "unknown detector 'nobody'"),
        (("--suspect", "strip", "--suspect.clean", "1"), "clean must be"),
        ((), "which samples are poisoned?"),
        (("--forget", "class:3", "--method", "none"), "unknown method"),
        (("--forget", "class:3", "--gamma", "1"), "unknown setting 'gamma'"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_the_work(command, place, clean, words, message):
    before = sorted(path.name for path in (place / "runs").iterdir())
    code, out, err = command("cleanse", clean, *words, "--store", place / "runs")
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sorted(path.name for path in (place / "runs").iterdir()) == before


def test_a_folder_that_holds_a_cleanse_is_not_written_over(command, place, clean):
    (place / "old").mkdir()
    (place / "old" / "cleanse.json").write_text("{}")
    words = ("--forget", "class:3", "--out", place / "old", "--store", place / "runs")
    code, _, err = command("cleanse", clean, *words)
    assert code == 2
    assert "already exists: choose another --out" in err
    assert (place / "old" / "cleanse.json").read_text() == "{}"


def test_python_agrees_with_the_command(answer, place, clean):
    """By the weights: the same before and after, from the same model."""
    data = expunge.load("digits", train_limit=120, test_limit=60)
    model = expunge.load_model(Store(place / "runs").path(clean))
    split = expunge.split(data, forget="class:3")
    found = expunge.cleanse(
        model, split, data, trigger={"badnets": PATCH}, config={"epochs": 1, "batch_size": 32}
    )
    given = answer("cleanse", clean, "--forget", "class:3", *FT, *TRIGGER)["stages"][0]["metrics"]
    assert found.before["asr"] == pytest.approx(given["asr"])
    assert found.before["asr_all"] == pytest.approx(given["asr_all"])
    patched = next(iter(data.test.inputs.batches([torch.arange(60)]))).clone()
    patched[:, :, :2, :2] = 255
    with torch.no_grad():
        called = found.model.eval()(patched.float() / 255).argmax(1).numpy()
    others = data.test.labels.numpy() != 0
    assert found.after["asr"] == pytest.approx(100 * np.mean(called[others] == 0))
    assert found.judged == (found.before["asr"] >= 90)
    assert len(found.unlearned.forgotten_ids) == len(split.forget_ids)
    with pytest.raises(expunge.ExpungeError, match="an edit without a trigger: relabel"):
        expunge.cleanse(model, split, data, trigger={"relabel": {}})
    with pytest.raises(expunge.ExpungeError, match=r"a class in 0\.\.9, got 12"):
        expunge.cleanse(model, split, data, trigger={"badnets": {"target": 12}})
