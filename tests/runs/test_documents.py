"""Results that were changed after they were written are not used as if they were measured."""

import json

import pytest

from expunge.digest import with_digest
from expunge.errors import StoreError
from expunge.runs import read_document, write_document


def test_a_document_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "x.json"
    write_document(path, {"cells": [1.5], "title": "T"})
    assert read_document(path) == {"cells": [1.5], "title": "T"}
    assert json.loads(path.read_text()) == with_digest({"cells": [1.5], "title": "T"})


@pytest.mark.parametrize("change", [("1.5", "1.4"), ("title", "tytle"), ("blake2b", "blake2c")])
def test_a_change_is_one_line(tmp_path, change):
    path = tmp_path / "x.json"
    write_document(path, {"cells": [1.5], "title": "T"})
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(StoreError, match=r"x.json is damaged, it has changed") as caught:
        read_document(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_json_is_refused_before_it_is_written(tmp_path):
    with pytest.raises(StoreError, match="cannot write"):
        write_document(tmp_path / "x.json", {"x": float("nan")})
