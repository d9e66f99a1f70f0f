"""Processes that tests start are ended with all that they have started."""

import pytest

from tests import processes
from tests.deadlines import wait_for

AWAY = """
import os, subprocess, sys
again = [sys.executable, "-c", "import time; time.sleep(600)"]
apart = subprocess.Popen(again, start_new_session=True)
print(apart.pid, flush=True)
if "stays" in sys.argv:
    apart.wait()
"""


@pytest.mark.parametrize("whose", ["stays", "goes"])
def test_a_session_apart_is_ended_too_also_as_an_orphan(whose):
    process = processes.python("-c", AWAY, whose)
    apart = int(process.stdout.readline())
    if whose == "goes":
        process.wait()
    assert processes.alive(apart)
    process.end()
    wait_for(lambda: not processes.alive(apart))
    assert not processes.alive(process.pid)


def test_a_mark_is_that_of_one_process(started):
    first, second = (started("-c", "import time; time.sleep(600)") for _ in range(2))
    wait_for(lambda: processes.marked(first.mark) == [first.pid])
    first.end()
    assert processes.marked(first.mark) == []
    assert processes.alive(second.pid)
