"""The study of detectors: what is planned for each share and seed, and what is made of it."""

import numpy as np

from benchmarks import detectors as study
from benchmarks import triggers
from expunge.cli.session import Session
from expunge.detectors import DETECTORS
from expunge.detectors.judge import Judgement
from expunge.engines import Engine
from expunge.graph.runtime import read_facts
from expunge.studies.recipe import parse_experiment

RECIPE = """
title = "Poisoned"
scenarios = ["edited:badnets"]
seeds = [3, 4]
[data]
source = "digits"
train_limit = 200
test_limit = 100
[data.edits.badnets]
share = 0.1
target = 1
size = 2
row = 0
column = 0
value = 255
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 0
[methods.ft]
"""


def test_every_share_and_seed_is_another_model_on_other_data(tmp_path):
    space = Session(tmp_path, Engine(), device="cpu")
    graph = space.graph()
    cases = study.plan(graph, parse_experiment(RECIPE, "recipe.toml"), [0.02, 0.1])
    assert [(case.share, case.seed) for case in cases] == [
        (0.02, 3),
        (0.02, 4),
        (0.1, 3),
        (0.1, 4),
    ]
    assert len({case.model for case in cases}) == 4
    assert len({graph.data_of(case.model) for case in cases}) == 4
    # One of them, made and judged.
    graph = space.graph()
    one = parse_experiment(RECIPE.replace("[3, 4]", "[3]"), "recipe.toml")
    (case,) = study.plan(graph, one, [0.1])
    assert case == cases[2]
    assert (case.edit, case.target) == ("badnets", 1)
    space.run(graph)
    train = read_facts(space.store.path(graph.data_of(case.model))).train
    assert len(train.touched["badnets"]) == 20
    found = study.judged(space.store, graph, case)
    alone = {detector.name for detector in DETECTORS if "out_of_fold" not in detector.needs}
    assert set(found) >= alone
    assert {(each.poisoned, each.clean) for each in found.values()} == {(20, 180)}


def test_success_is_of_images_of_other_classes():
    logits = np.eye(3)[[1, 1, 0, 1, 2]]
    labels = np.array([1, 0, 0, 2, 2])
    assert study.success({"logits": logits, "labels": labels}, target=1) == 50


def test_lines_are_means_over_seeds_with_intervals():
    case = study.Case(0.1, 3, "badnets", 0, "train-1", "predict-1", {})
    counts = {"poisoned": 10, "clean": 90, "accused": 1}
    rows = [
        study.row_of(case, "strip", Judgement(**counts, found=n, auroc=a), 99.0)
        for n, a in ((8, 90.0), (10, 100.0), (9, 95.0))
    ]
    assert rows[0]["recall_interval"]["estimate"] == 80
    assert rows[0]["recall_interval"]["n"] == 10
    assert rows[0]["precision_interval"]["n"] == 9
    (line,) = study.summary(rows)
    assert (line["n"], line["asr"], line["poisoned"]) == (3, 99.0, 10)
    assert line["recall"]["estimate"] == 90
    # 2.484 standard deviations of 10 to each side.
    assert round(line["recall"]["high"] - 90, 1) == 24.8
    assert line["auroc"]["estimate"] == 95
    nothing = study.row_of(
        case, "strip", Judgement(poisoned=10, clean=90, found=0, accused=0, auroc=50.0), 99.0
    )
    assert nothing["precision"] is nothing["precision_interval"] is None
    assert study.summary([nothing, nothing])[0]["precision"] is None


def test_edits_are_measured_over_the_seeds(tmp_path):
    space = Session(tmp_path, Engine(), device="cpu")
    experiment = parse_experiment(RECIPE, "recipe.toml")
    found = triggers.measured(space, experiment, {"blended": {"blended": {"share": 0.2}}})
    assert [item.name for item in found] == [
        "blended: attack success rate",
        "blended: test accuracy",
    ]
    assert [item.n for item in found] == [2, 2]
    assert (found[0].target, found[1].target) == (90, None)
