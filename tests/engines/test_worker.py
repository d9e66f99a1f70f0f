"""What a worker tells the driver when the code of a node fails."""

from multiprocessing.connection import Pipe

import pytest
from tests.studies.small import HERE

from expunge.engines.worker import Begin, Bug, _work
from expunge.graph import make
from expunge.runs import Node


@pytest.mark.parametrize(
    "kind", [EOFError, ConnectionResetError, BrokenPipeError, ZeroDivisionError]
)
def test_an_error_of_a_nodes_code_is_not_taken_for_the_drivers_end(tmp_path, monkeypatch, kind):
    """Readers of truncated files raise EOFError, and sources on the network a ConnectionError."""

    def fail(*_):
        raise kind("of the data's source")

    monkeypatch.setattr(make, "make_node", fail)
    ours, theirs = Pipe()
    ours.send(Begin(tmp_path, HERE))
    ours.send((Node(kind="measure", version=1, params={}).to_json(), ""))
    _work(1, theirs)
    theirs.close()
    told = ours.recv()
    assert isinstance(told, Bug)
    assert type(told.error) is kind
    assert "in fail" in told.trace


def test_a_worker_ends_without_a_word_when_the_driver_closes_its_channel(tmp_path):
    ours, theirs = Pipe()
    ours.send(Begin(tmp_path, HERE))
    ours.close()
    _work(1, theirs)
