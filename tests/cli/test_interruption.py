"""Ctrl-C and SIGTERM: one line and the right code, wherever they arrive."""

import os
import signal
import time

import pytest

from expunge.cli import interruption
from expunge.cli.interruption import LINE, interruptible

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
PREAMBLE = """
import os, signal, sys, time
from expunge.cli.interruption import interruptible

def work():
    print("at work", flush=True)
"""


@pytest.fixture(autouse=True)
def this_process_goes_on(monkeypatch):
    """It keeps its own handlers, and is not ended because it does not end itself."""
    monkeypatch.setattr(interruption, "PATIENCE", 1e6)
    before = {number: signal.getsignal(number) for number in (*CODES, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", CODES)
def test_a_signal_is_one_line(capsys, number):
    cleaned = []

    def work():
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        finally:
            # Who presses it twice does not interrupt the cleaning up.
            os.kill(os.getpid(), number)
            cleaned.append(True)

    with pytest.raises(SystemExit) as ended:
        interruptible(work)
    assert ended.value.code == CODES[number]
    assert capsys.readouterr().err == f"{LINE}\n"
    assert cleaned


def failing_import():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except BaseException:
        raise ImportError("a library could not be imported") from None


def finaliser():
    class Swallows:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)

    Swallows()
    time.sleep(60)


@pytest.mark.parametrize("work", [failing_import, finaliser])
def test_a_signal_that_a_library_swallows_ends_the_command_all_the_same(capsys, work):
    with pytest.raises(SystemExit) as ended:
        interruptible(work)
    assert ended.value.code == 130
    assert capsys.readouterr().err == f"{LINE}\n"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_signal_just_before_or_after_the_command_is_one_line(capsys, monkeypatch, when):
    set_wakeup_fd = signal.set_wakeup_fd
    calls = []

    def interrupted(*words, **settings):
        calls.append(words)
        if len(calls) == (1 if when == "before" else 2):
            os.kill(os.getpid(), signal.SIGTERM)
        return set_wakeup_fd(*words, **settings)

    monkeypatch.setattr(signal, "set_wakeup_fd", interrupted)
    with pytest.raises(SystemExit) as ended:
        interruptible(lambda: None)
    set_wakeup_fd(-1)
    assert ended.value.code == 143
    assert capsys.readouterr().err == f"{LINE}\n"


def test_without_a_signal_errors_and_handlers_are_as_they_were():
    before = signal.getsignal(signal.SIGTERM)

    def work():
        assert signal.getsignal(signal.SIGTERM) != before
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interruptible(work)
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.set_wakeup_fd(-1) == -1


STUCK = {
    "a library that goes on": """
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
""",
    "a long call": """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    import threading
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: None)
    threading.Event().wait()
""",
}


@pytest.mark.parametrize("code", STUCK.values(), ids=STUCK)
def test_a_command_that_is_stuck_is_ended(started, code):
    patience = "import expunge.cli.interruption as i; i.PATIENCE = 0.2\n"
    process = started("-c", f"{PREAMBLE}{code}\n{patience}interruptible(work)")
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.said(20)
    assert (process.returncode, err) == (143, f"{LINE}\n")


def test_a_signal_while_the_commands_are_imported_is_one_line(started):
    code = """
import os, signal, sys, threading
class Finder:
    def find_spec(name, *_):
        if name == "expunge.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
from expunge.cli import main
main()
"""
    process = started("-c", code)
    out, err = process.said(20)
    assert (process.returncode, out, err) == (130, "", f"{LINE}\n")
