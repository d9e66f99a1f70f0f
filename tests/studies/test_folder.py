"""Results in a study's folder: kept while they are whole and the same, else written again."""

import json

import pytest

from expunge.studies.folder import keep


def document(cell, date):
    return {"schema": 2, "makers": [{"date": date}], "cells": [cell]}


def test_the_same_results_keep_their_makers(tmp_path):
    path = tmp_path / "results.json"
    first = keep(path, document({"ua": 1.5}, "monday"), "cells")
    assert first == document({"ua": 1.5}, "monday")
    assert keep(path, document({"ua": 1.5}, "tuesday"), "cells") == first
    other = keep(path, document({"ua": 2.5}, "tuesday"), "cells")
    assert other == document({"ua": 2.5}, "tuesday")


@pytest.mark.parametrize("change", [("monday", "sunday"), ("1.5", "1.4"), ("{", "[")])
def test_changed_results_are_written_again_with_a_note(tmp_path, caplog, change):
    """Also where what was changed is not what was measured."""
    path = tmp_path / "results.json"
    keep(path, document({"ua": 1.5}, "monday"), "cells")
    path.write_text(path.read_text().replace(*change, 1))
    assert keep(path, document({"ua": 1.5}, "tuesday"), "cells")["makers"] == [{"date": "tuesday"}]
    (said,) = caplog.messages
    assert said.startswith(f"note: {path} ")
    assert said.endswith(": it is written again from the store")
    assert json.loads(path.read_text())["cells"] == [{"ua": 1.5}]
