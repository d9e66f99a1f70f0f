"""A document is of the study whose command made it."""

import json
from pathlib import Path

from expunge.report.study import study_of

RESULTS = Path(__file__).parents[2] / "results"


def test_every_result_of_a_recipe_is_told_by_what_only_its_study_writes():
    found = {}
    for path in RESULTS.glob("*/*.json"):
        if path.parent.name != "benchmarks":
            document = json.loads(path.read_text(encoding="utf-8"))
            found[path] = (study_of(document) or "bench", document["reproduce"].split()[1])
    assert {made for _, made in found.values()} >= {"attribution", "bench", "pruning", "theory"}
    assert [path for path, (told, made) in found.items() if told != made] == []


def test_a_damaged_list_is_of_no_study():
    assert study_of({"trends": "gone"}) is None
