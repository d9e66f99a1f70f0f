"""The driver's side of several worker processes on this machine.

A server process imports what all workers need, and forks them; `worker` is their side. All end when
the *life line* closes, a pipe that only the driver holds open, so however the driver ends. They
are connected by pipes, which have no name in the system that a kill could leave behind.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, TypeAlias

from expunge.engines.worker import Begin, Bug, Done, Step
from expunge.errors import ConfigError
from expunge.graph.runtime import Place
from expunge.runs import Node

_Channel: TypeAlias = "Connection[Any, Any]"

_SECONDS_TO_END = 5.0
_BLOCKED = (signal.SIGINT, signal.SIGTERM)


class Pool:
    """Worker processes, each with a runtime of its own."""

    def __init__(self, count: int, root: Path, place: Place) -> None:
        self.count = count
        pipes = [Pipe() for _ in range(count)]
        self._channels: list[_Channel] = [ours for ours, _ in pipes]
        self._free: list[_Channel] = list(self._channels)
        # Nothing is sent on the server's channel, which closes when the server ends.
        self._server, servers = Pipe()
        ends, self._life = Pipe(duplex=False)
        theirs = [ends, servers, *(each for _, each in pipes)]
        descriptors = [each.fileno() for each in theirs]
        # The server finds modules where this process does, not in the current folder as well.
        code = f"import sys; sys.path[:] = {sys.path!r}; from expunge.engines.worker import serve"
        with _signals_held_back():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", f"{code}; serve(*{descriptors!r})"],
                stdin=subprocess.DEVNULL,
                pass_fds=descriptors,
            )
        for each in theirs:
            each.close()
        for channel in self._channels:
            self._send(channel, Begin(root, place))

    @property
    def free(self) -> int:
        """How many workers wait for a node."""
        return len(self._free)

    def start(self, node: Node, label: str) -> int:
        """Have a free worker make a node; return the worker's number.

        Raises:
            ConfigError: the worker was killed.
        """
        channel = self._free.pop(0)
        self._send(channel, (node.to_json(), label))
        return self._channels.index(channel)

    def news(self) -> Iterator[tuple[int, Step | Done]]:
        """Wait for news from workers, and yield each with its worker's number.

        Raises:
            ConfigError: a worker was killed.
        """
        for channel in _ready([self._server, *self._channels]):
            try:
                found: Step | Done | Bug = channel.recv()
            except (EOFError, OSError):
                raise self._killed() from None
            if isinstance(found, Bug):
                found.error.add_note(found.trace)
                raise found.error
            if isinstance(found, Done):
                self._free.append(channel)
            yield self._channels.index(channel), found

    def close(self) -> None:
        """End all workers, in the middle of what they make, and wait until they have ended."""
        self._life.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_END)
        # A channel closes with its worker, also where the server was killed before it.
        late = time.monotonic() + _SECONDS_TO_END
        waiting = list(self._channels)
        while waiting and time.monotonic() < late:
            for channel in _ready(waiting, timeout=0.1):
                try:
                    channel.recv()
                except (EOFError, OSError):
                    waiting.remove(channel)
        for channel in (self._server, *self._channels):
            channel.close()

    def _send(self, channel: _Channel, message: object) -> None:
        try:
            channel.send(message)
        except OSError:
            raise self._killed() from None

    def _killed(self) -> ConfigError:
        return ConfigError(
            f"one of {self.count} worker processes was killed, as the system does when memory runs "
            "out: run the same command to continue, with fewer --workers if it happens again"
        )


def _ready(channels: list[_Channel], timeout: float | None = None) -> list[_Channel]:
    """Wait for channels that have news or have closed, at most `timeout` seconds."""
    ready = wait(channels, timeout)
    return [channel for channel in channels if channel in ready]


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hold back signals for the block; what is started in it does not receive Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
