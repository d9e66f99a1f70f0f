"""More threads than cores are named before the work."""

import pytest
from tests.studies.small import TINY, planned, tiny

from expunge.engines import Engine
from expunge.engines.crowding import crowding

TWO_THREADS = TINY.replace("[network]\n", "[network]\nthreads = 2\n")


def said(tmp_path, monkeypatch, text, engine, cores=2, there=False):
    monkeypatch.setattr("expunge.engines.crowding.available_cores", lambda: cores)
    graph, _ = planned(tmp_path / "runs", tiny(text))
    monkeypatch.setattr(graph.store, "has", lambda name: there)
    return crowding(graph, engine)


def test_workers_with_more_threads_than_cores_are_named(tmp_path, monkeypatch):
    line = said(tmp_path, monkeypatch, TWO_THREADS, Engine(name="processes", workers=3), cores=4)
    assert line.startswith("note: 3 workers of up to 2 threads each share 4 cores and wait")
    assert "--workers 2 may be faster" in line
    line = said(tmp_path, monkeypatch, TWO_THREADS, Engine(name="processes"), cores=2)
    assert line.startswith("note: 2 workers of up to 2 threads each share 2 cores and wait")
    line = said(tmp_path, monkeypatch, TWO_THREADS, Engine(name="processes", workers=2), cores=1)
    assert "share 1 core and" in line
    assert "--workers 1 may" in line


@pytest.mark.parametrize(
    ("text", "engine", "cores", "there"),
    [
        (TWO_THREADS, Engine(name="processes", workers=2), 4, False),
        (TWO_THREADS, Engine(name="processes", workers=3), 4, True),
        (TWO_THREADS, Engine(), 1, False),
        (TWO_THREADS, Engine(name="processes"), 1, False),
        (TINY, Engine(name="processes", workers=8), 2, False),
    ],
    ids=["cores enough", "nothing missing", "one process", "one worker", "one thread each"],
)
def test_others_are_not(tmp_path, monkeypatch, text, engine, cores, there):
    assert said(tmp_path, monkeypatch, text, engine, cores, there) is None


def test_a_command_says_so_once(tmp_path, monkeypatch):
    monkeypatch.setattr("expunge.engines.crowding.available_cores", lambda: 2)
    monkeypatch.setattr("expunge.cli.session.run", lambda *words: 0)
    from expunge.cli.session import Session

    session = Session(tmp_path / "runs", Engine(name="processes", workers=2), device="cpu")
    told = []
    monkeypatch.setattr("expunge.cli.session.tell", told.append)
    for _ in range(2):
        session.run(planned(tmp_path / "runs", tiny(TWO_THREADS))[0])
    assert sum("share 2 cores" in line for line in told) == 1
