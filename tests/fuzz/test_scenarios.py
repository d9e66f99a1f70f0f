from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.conftest import fuzz, leaves, outcome, texts, values

from expunge.scenarios import by_class, by_ids, by_indices, check_scenario, parse
from expunge.scenarios.id_file import csv_of_ids, read_ids
from expunge.scenarios.parse import SCENARIO_KINDS


@dataclass
class Samples:
    """Training samples without inputs."""

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]


IDS = ("a", "b", "c", "7", "id", "x,y", "é")
SAMPLES = Samples(IDS, tuple(n % 3 for n in range(len(IDS))), ("cat", "7", "2"))


def choose(scenario):
    check_scenario(scenario, SAMPLES)
    rows, _ = scenario.select(SAMPLES)
    assert rows.dtype == np.int64
    assert 0 < len(rows) == scenario.count(SAMPLES) < len(IDS)
    assert (np.diff(rows) > 0).all()
    return rows


def of_kind(kind):
    numbers = st.integers(-3, 12).map(str) | st.floats().map(str) | st.sampled_from(IDS)
    parts = st.lists(texts | numbers, min_size=1, max_size=3)
    return st.tuples(parts, st.sampled_from(",:")).map(lambda x: f"{kind}:{x[1].join(x[0])}")


@fuzz(300)
@given(st.sampled_from(SCENARIO_KINDS).flatmap(of_kind) | texts)
def test_texts(folder, text):
    outcome(lambda: choose(parse(text)))


@fuzz(250)
@given(values | st.lists(leaves | st.integers(0, 8), max_size=7))
def test_python_values(given_value):
    outcome(lambda: choose(by_indices(given_value)))
    if isinstance(given_value, list | tuple):
        outcome(lambda: choose(by_class(*given_value)))
        outcome(lambda: choose(by_ids(given_value)))


lines = st.lists(
    st.sampled_from([*IDS, "id", "id,label", '"', '"a', ",", "#", "nobody", "a;b", "\t"]) | texts,
    max_size=6,
)


@fuzz(300)
@given(
    lines.map("\n".join).map(str.encode) | st.binary(max_size=30),
    st.sampled_from(("ids.txt", "ids.csv", "ids")),
)
def test_files(folder, content, name):
    (folder / name).write_bytes(content)
    found = outcome(lambda: read_ids(folder / name))
    if found is not None:
        outcome(lambda: choose(by_ids(folder / name)))
        (folder / "again.csv").write_text(csv_of_ids(found), encoding="utf-8", newline="")
        assert read_ids(folder / "again.csv") == found
