"""Processes that tests start: looked at, waited for, and ended with all that they started."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.deadlines import stretched, wait_for

ROOT = Path(__file__).parent.parent
_PR_SET_CHILD_SUBREAPER = 36


class Started(subprocess.Popen):
    """A process in a session of its own, with one thread; `end` kills all that it has started."""

    def __init__(self, words, **settings):
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **settings.pop("env", {})}
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
        for pid in {self.pid, *session_of(self.pid), *descendants(self.pid)}:
            kill(pid)
        self.wait()
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


def adopt_orphans():
    """Have this process become the parent of those below it whose parent has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_all(pids):
    """Kill processes, and wait until they have ended."""
    for pid in pids:
        kill(pid)
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    wait_for(lambda: not any(alive(pid) for pid in pids))


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


def session_of(leader):
    """Ids of the processes of a session: those whose parent has ended, too."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[3]) == leader:
            found.append(int(folder.name))
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
