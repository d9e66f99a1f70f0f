"""Logits and margins of many models in a folder, in the layout of EasyDUB: a stand-in of it."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.conftest import fuzz, outcome

from expunge.errors import DataError
from expunge.metrics.klom import divergence, margins_of
from expunge.statistics.intervals import paired_t
from expunge.studies.precomputed.compare import compare

TRAIN, TEST, CLASSES, MODELS = 30, 20, 3, 52
LABELS = {"train": np.arange(TRAIN) % CLASSES, "val": np.arange(TEST) % CLASSES}
FORGET = np.array([7, 2, 28])
RETAIN = np.setdiff1d(np.arange(TRAIN), FORGET)


def drawn(rng, labels, sure):
    logits = rng.normal(size=(MODELS, len(labels), CLASSES)).astype(np.float32)
    logits[:, np.arange(len(labels)), labels] += sure
    return logits


def outputs():
    """Logits `(models, samples, classes)` by role and population."""
    rng = np.random.default_rng(0)
    before = drawn(rng, LABELS["train"], 3.0)
    found = {("pretrain", "all"): before, ("pretrain", "forget"): before[:, FORGET]}
    found["pretrain", "val"] = drawn(rng, LABELS["val"], 1.0)
    for role, sure in (("oracle", 1.0), ("scrub", 1.2)):
        found[role, "forget"] = drawn(rng, LABELS["train"][FORGET], sure)
        found[role, "retain"] = drawn(rng, LABELS["train"][RETAIN], 3.0)
        found[role, "val"] = drawn(rng, LABELS["val"], 1.0)
    return found


OUTPUTS = outputs()


def labels_of(role, population):
    if population == "val":
        return LABELS["val"]
    if population == "all":
        return LABELS["train"]
    return LABELS["train"][FORGET if population == "forget" else RETAIN]


def write(root, *, kinds=("margins", "logits"), labels=True, models=MODELS, suffix=".npy"):
    for (role, population), logits in OUTPUTS.items():
        folder = {"all": "retain", "forget": "forget_2" if role == "pretrain" else "forget"}
        inside = [] if role == "pretrain" else ["forget_2"]
        for kind in kinds:
            place = root.joinpath(
                kind, "toy", role, *inside, folder.get(population, population), "net"
            )
            place.mkdir(parents=True)
            for model in range(models):
                of = logits[model]
                if kind == "margins":
                    of = margins_of(of, labels_of(role, population)).astype(np.float32)
                path = place / f"id_{model}_epoch_23{suffix}"
                if suffix == ".npy":
                    np.save(path, of)
                else:
                    torch.save(torch.from_numpy(of), path)
    (root / "forget_sets" / "toy").mkdir(parents=True)
    np.save(root / "forget_sets" / "toy" / "forget_set_2.npy", FORGET)
    if labels:
        (root / "labels" / "toy").mkdir(parents=True)
        for name, of in LABELS.items():
            np.save(root / "labels" / "toy" / f"{name}.npy", of)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("easydub"))


def margins(role, population):
    return np.stack(
        [margins_of(each, labels_of(role, population)) for each in OUTPUTS[role, population]]
    )


def test_klom_is_of_the_margins_in_the_files(folder):
    found = compare(folder)
    before, scrub = found["compared"]
    assert (before["method"], scrub["method"]) == ("pretrain", "scrub")
    assert scrub["forget_set"] == "forget_2"
    assert scrub["samples"] == {"forget": 3, "retain": 27, "validation": 20}
    assert scrub["models"]["retain"] == {"unlearned": MODELS, "retrained": MODELS}
    for name, population in (("forget", "forget"), ("retain", "retain"), ("validation", "val")):
        expected = divergence(margins("scrub", population), margins("oracle", population))
        assert scrub["klom"][name]["mean"] == pytest.approx(expected.mean(), rel=0.02)
    expected = divergence(margins("pretrain", "all")[:, RETAIN], margins("oracle", "retain"))
    assert before["klom"]["retain"]["mean"] == pytest.approx(expected.mean(), rel=0.02)
    # The models before unlearning are surer of what was to be forgotten, and no surer elsewhere.
    far, near = before["klom"]["forget"], before["klom"]["validation"]
    assert far["half_mean"] > far["floor_mean"] + 2 * far["floor_mean_error"]
    assert near["half_mean"] < near["floor_mean"] + 2 * near["floor_mean_error"]


def gaps_of_halves():
    """Of each retrained model of the first half, the mean gap to one of the second."""
    rights = [
        OUTPUTS["oracle", population].argmax(axis=2) == labels_of("oracle", population)
        for population in ("forget", "retain", "val")
    ]
    half = MODELS // 2
    pairs = [100 * abs(each[:half].mean(axis=1) - each[half:].mean(axis=1)) for each in rights]
    return [*np.mean(pairs, axis=0)]


def test_accuracies_are_over_models_with_intervals(folder):
    before, scrub = compare(folder)["compared"]
    right = OUTPUTS["scrub", "forget"].argmax(axis=2) == LABELS["train"][FORGET]
    expected = paired_t([*(100 * (~right).mean(axis=1))])
    ua = scrub["metrics"]["ua"]["unlearned"]
    assert (ua["mean"], ua["low"], ua["high"]) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )
    assert ua["n"] == MODELS
    right = OUTPUTS["pretrain", "all"][:, RETAIN].argmax(axis=2) == LABELS["train"][RETAIN]
    assert before["metrics"]["ra"]["unlearned"]["mean"] == pytest.approx(100 * right.mean())
    assert before["gap"]["mean"] > before["gap_floor"]["mean"]
    assert before["gap"]["n"] == MODELS
    floor = paired_t(gaps_of_halves())
    found = before["gap_floor"]
    assert (found["mean"], found["low"]) == pytest.approx((floor.estimate, floor.low))
    assert found["n"] == MODELS // 2


def test_what_is_read_and_left_out_is_said(folder, tmp_path):
    root = tmp_path / "more"
    shutil.copytree(folder, root)
    place = root / "margins/toy/scrub/forget_2/val/net"
    shutil.copy(place / "id_0_epoch_23.npy", place / "id_0_epoch_9.npy")
    (place / "notes.txt").write_text("x")
    (root / "models").mkdir()
    found = compare(root)
    of_all = MODELS * len(OUTPUTS)
    assert found["read"] == {"margins": of_all, "logits": of_all}
    assert found["left_out"] == [
        "models: neither logits nor margins",
        "1 files of an earlier epoch or twice: id_0_epoch_9.npy",
        "1 files not in the layout: margins/toy/scrub/forget_2/val/net/notes.txt",
    ]
    assert found["compared"] == compare(folder)["compared"]


@pytest.mark.parametrize("suffix", [".npy", ".pt"])
def test_logits_alone_give_the_same_margins(folder, tmp_path, suffix):
    alone = compare(write(tmp_path, kinds=("logits",), suffix=suffix))
    assert alone["compared"] == compare(folder)["compared"]
    # Margins and accuracies are both of the same files.
    assert alone["read"] == {"margins": 0, "logits": MODELS * len(OUTPUTS)}


def test_margins_alone_give_klom_alone(folder, tmp_path):
    found = compare(write(tmp_path, kinds=("margins",), labels=False))["compared"]
    whole = compare(folder)["compared"]
    assert [each["klom"] for each in found] == [each["klom"] for each in whole]
    assert "margins do not give accuracies" in found[0]["metrics_reason"]
    assert found[0]["metrics"] is None


def test_fewer_than_fifty_models_are_refused(tmp_path):
    root = write(tmp_path, kinds=("margins",), models=49)
    with pytest.raises(DataError, match=r"KLOM needs 50 or more .*pretrain.* models, got 49"):
        compare(root)


def test_each_forget_set_is_compared_with_its_own_retrained_models(tmp_path):
    root = write(tmp_path, kinds=("logits",), models=3)
    for place in ("oracle/forget_2", "scrub/forget_2", "pretrain/forget_2"):
        other = root / "logits/toy" / place.replace("2", "5")
        shutil.copytree(root / "logits/toy" / place, other)
        for path in other.rglob("*.npy") if "oracle" in place else ():
            np.save(path, -np.load(path))
    shutil.copy(
        root / "forget_sets/toy/forget_set_2.npy", root / "forget_sets/toy/forget_set_5.npy"
    )
    both = compare(root)
    parts = [compare(root, name)["compared"] for name in ("2", "forget_5")]
    assert both["compared"] == [*parts[0], *parts[1]]
    ua = [part[0]["metrics"]["ua"]["retrained"]["mean"] for part in parts]
    assert ua[0] != ua[1]
    # Those before unlearning are read for both, and counted once.
    assert both["read"]["logits"] == 3 * (len(OUTPUTS) + 7)


def test_margins_that_do_not_fit_are_named(tmp_path):
    root = write(tmp_path / "toy", kinds=("margins",), labels=False)
    place = root / "margins/toy/oracle/forget_2/val/net"
    path = place / "id_7_epoch_23.npy"
    right = np.load(path)
    for array, match in (
        (np.zeros(3, np.float32), r"oracle/forget_2/val/net: .* got 3, 20"),
        (np.full(20, np.nan, np.float32), r"id_7_epoch_23.npy: 20 of 20 are not numbers"),
        (np.zeros(20, int), "expected margins as floats, got int64"),
        (np.zeros((20, 3), np.float32), r"expected margins \(N,\), got \(20, 3\)"),
    ):
        np.save(path, array)
        with pytest.raises(DataError, match=match):
            compare(root)
        np.save(path, right)
    for each in place.iterdir():
        np.save(each, right[:19])
    with pytest.raises(DataError, match=r"val/net is of 20 samples, .*val/net of 19: expected the"):
        compare(root)


@pytest.mark.parametrize(
    ("name", "array", "match"),
    [
        ("forget_sets/toy/forget_set_2", [7, 2, 7], "forget_set_2.npy: an index is there twice"),
        ("forget_sets/toy/forget_set_2", [7, 2, 30], "expected indices below 30, got 30"),
        ("labels/toy/train", [*range(TRAIN)], "logits of 29 or more classes, .* got 3"),
        ("labels/toy/val", [0] * 19, "expected 19 samples, as labelled, got 20"),
        ("labels/toy/val", [0.5] * 20, r"expected labels \(N,\), integers, got float64"),
        ("labels/toy/val", [-1] * 20, r"expected labels of 0 or more, got -1..-1"),
    ],
)
def test_labels_and_forget_sets_that_do_not_fit_are_named(tmp_path, name, array, match):
    root = write(tmp_path, kinds=("logits",), models=2)
    np.save(root / f"{name}.npy", array)
    with pytest.raises(DataError, match=match):
        compare(root)


def test_what_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="unknown forget set '3': expected one of forget_2"):
        compare(folder, "3")
    with pytest.raises(DataError, match="expected a folder of logits or margins"):
        compare(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no logits or margins: expected files such as"):
        compare(tmp_path / "empty")


class Hostile:
    def __reduce__(self):
        return (open, ("ran", "w"))


def test_a_file_that_runs_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = write(tmp_path / "pt", kinds=("margins",), suffix=".pt")
    path = root / "margins/toy/oracle/forget_2/val/net/id_7_epoch_23.pt"
    torch.save(Hostile(), path)
    with pytest.raises(DataError, match="is damaged, or holds more than numbers"):
        compare(root)
    assert not (tmp_path / "ran").exists()
    root = write(tmp_path / "npy", kinds=("margins",))
    path = root / "margins/toy/oracle/forget_2/val/net/id_7_epoch_23.npy"
    np.save(path, np.array([Hostile()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="is damaged, or holds more than numbers"):
        compare(root)
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(DataError, match="is damaged, or holds more than numbers"):
        compare(root)
    assert not (tmp_path / "ran").exists()


NPY = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (20,), }"


@fuzz(150)
@given(st.binary(max_size=200) | st.binary(max_size=90).map(lambda rest: NPY + rest))
def test_any_bytes_are_margins_or_one_line(tmp_path_factory, content):
    from expunge.studies.precomputed.arrays import integers_in, logits_in, margins_in

    path = tmp_path_factory.getbasetemp() / "any.npy"
    path.write_bytes(content)
    for read in (margins_in, logits_in, lambda path: integers_in(path, "labels")):
        outcome(lambda read=read: read(path))


def test_the_command_prints_and_gives_json(folder, command):
    code, out, err = command("evaluate", "--logits", folder, "--json")
    assert code == 0, err
    assert json.loads(out) == compare(folder) | {"folder": str(folder)}
    code, out, err = command("evaluate", "--logits", folder, "--forget", "2")
    assert code == 0, err
    for text in ("468 files of margins", "scrub, toy, net, forget_2", "floor", "n = 52"):
        assert text in out
    code, out, err = command("evaluate")
    assert (code, out) == (2, "")
    assert "evaluate takes a model's id, or --logits FOLDER" in err


@pytest.mark.parametrize(
    "words",
    [
        *(["--attacks"], ["--reference", "a"], ["--groups", "a.csv"], ["--workers", 2]),
        *(["--engine", "here"], ["--shard", "1/2"], ["--slurm", "a=1"], ["--device", "cpu"]),
        ["--store", "a"],
    ],
    ids=lambda words: words[0],
)
def test_what_no_logits_need_is_refused(folder, command, words):
    code, out, err = command("evaluate", "--logits", folder, *words)
    assert (code, out) == (2, "")
    assert "--logits takes --forget and --json alone" in err
