"""Processes that tests start: looked at, waited for, and ended with all that they started."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
from pathlib import Path

from tests.deadlines import stretched, wait_for

ROOT = Path(__file__).parent.parent
MARK = "EXPUNGE_STARTED_BY_A_TEST"
"""A variable that whatever a test starts inherits, however far it goes from its parents."""


class Started(subprocess.Popen):
    """A process in a session of its own, with one thread; `end` kills all that it has started."""

    def __init__(self, words, **settings):
        self.mark = secrets.token_hex(8)
        own = {"OMP_NUM_THREADS": "1", **settings.pop("env", {}), MARK: self.mark}
        variables = {**os.environ, **own}
        settings = {"cwd": ROOT, "text": True, **settings}
        super().__init__([*map(str, words)], env=variables, start_new_session=True, **settings)

    def said(self, seconds=120):
        """Its standard output and error, once it has ended."""
        return self.communicate(timeout=stretched(seconds))

    def succeeded(self, seconds=120):
        """Its standard output; it has to succeed."""
        out, err = self.said(seconds)
        assert self.returncode == 0, err
        return out

    def end(self):
        """Kill it and whatever it has started, those whose parent has ended too."""
        # One that is just being started shows no mark yet, but has a parent.
        for pid in (self.pid, *descendants(self.pid)):
            kill(pid)
        self.wait()
        end_marked(self.mark)
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def python(*words, **settings):
    """Start `python WORDS`, and keep what it prints."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return Started([sys.executable, *words], **{**pipes, **settings})


def in_new_process(module, *words):
    """What `python -m MODULE WORDS` prints; it has to succeed."""
    process = python("-m", module, *words)
    try:
        return process.succeeded(300)
    finally:
        process.end()


def end_marked(mark):
    """Kill all processes that have inherited a mark, and wait until they have ended."""
    while pids := marked(mark):
        for pid in pids:
            kill(pid)
        wait_for(lambda pids=pids: not any(alive(pid) for pid in pids))


def marked(mark):
    """Ids of the processes that were started with a mark, and have not ended."""
    wanted = f"{MARK}={mark}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inherited = wanted in (folder / "environ").read_bytes()
        except OSError:
            continue
        if inherited and alive(int(folder.name)):
            found.append(int(folder.name))
    return found


def descendants(pid):
    """Ids of the processes that a process has started, and those have."""
    children = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        parent = int(re.search(r"^PPid:\s+(\d+)$", status, re.M)[1])
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def command_of(pid):
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pid):
    """Whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid):
    """Kill a process, if it exists."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
