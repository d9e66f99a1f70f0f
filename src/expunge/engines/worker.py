"""The side of worker processes: a server that forks them, and what each does."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from expunge.errors import ExpungeError

if TYPE_CHECKING:
    from expunge.graph.runtime import Place, Runtime
    from expunge.runs import Store

_LOADED = (
    "expunge.graph.make",
    "expunge.graph.kinds",
    "expunge.training.fit",
    "lightning_fabric",
    "sklearn.svm",
)
"""What all workers need; the server imports it once."""
_SECONDS_BETWEEN_STEPS = 0.2


@dataclass(frozen=True)
class Begin:
    """What a worker is told first."""

    root: Path
    """Of the store."""
    place: Place


@dataclass(frozen=True)
class Step:
    """News of a node in progress: the arguments of the progress callback."""

    task: str
    done: int
    total: int
    images: int


@dataclass(frozen=True)
class Done:
    """A node's end: the seconds that it took, None if it was there, or why it failed."""

    outcome: float | ExpungeError | None


@dataclass(frozen=True)
class Bug:
    """An error that is not a node's, with its traceback."""

    error: BaseException
    trace: str


def serve(life: int, server: int, *channels: int) -> NoReturn:
    """Fork a worker for each channel, and end when they have, or when the life line closes.

    Signals are as the driver left them: Ctrl-C is blocked, in the workers too. `server` is held
    open as long as this process lives, and not by the workers.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    workers: list[int] = []
    _end_with(life, workers)
    for name in _LOADED:
        importlib.import_module(name)
    # The only other thread waits for the life line, and holds nothing that a fork could copy.
    for number, channel in enumerate(channels, start=1):
        child = os.fork()
        if child == 0:
            for other in {server, *channels} - {channel}:
                os.close(other)
            _end_with(life, [])
            _work(number, Connection(channel))
            os._exit(0)
        workers.append(child)
    for channel in channels:
        os.close(channel)
    for child in workers:
        _await(child)
    os._exit(0)


def _end_with(life: int, workers: list[int]) -> None:
    """End this process and its workers when the life line closes."""

    def end() -> None:
        os.read(life, 1)
        for child in workers:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for child in workers:
            _await(child)
        os._exit(1)

    threading.Thread(target=end, name="life line", daemon=True).start()


def _await(child: int) -> None:
    """Wait for a worker's end, unless another thread has."""
    with suppress(ChildProcessError):
        os.waitpid(child, 0)


def _work(number: int, channel: Connection[Any, Any]) -> None:
    """Make nodes as told, until the driver closes the channel."""
    try:
        begin: Begin = channel.recv()
        store, runtime = _workplace(begin, number, channel)
        while (told := _told(channel)) is not None:
            channel.send(Done(_outcome(store, runtime, *told)))
    except BaseException as error:
        with suppress(OSError):
            channel.send(_bug(error))


def _told(channel: Connection[Any, Any]) -> tuple[dict[str, Any], str] | None:
    """A node and its label; None once the driver has closed the channel."""
    try:
        told: tuple[dict[str, Any], str] = channel.recv()
    except (EOFError, ConnectionError):
        return None
    return told


def _workplace(begin: Begin, number: int, channel: Connection[Any, Any]) -> tuple[Store, Runtime]:
    from expunge.graph.runtime import Runtime
    from expunge.runs import Store

    last = 0.0

    def progress(task: str, done: int, total: int, images: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done in (1, total) or now - last > _SECONDS_BETWEEN_STEPS:
            last = now
            channel.send(Step(f"{number}: {task}", done, total, images))

    return Store(begin.root), Runtime(begin.place, progress)


def _outcome(
    store: Store, runtime: Runtime, node: dict[str, Any], label: str
) -> float | ExpungeError | None:
    from expunge.graph.make import make_node
    from expunge.runs import Node

    try:
        return make_node(store, Node.from_json(node), runtime, label, "processes")
    except ExpungeError as error:
        return error


def _bug(error: BaseException) -> Bug:
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return Bug(RuntimeError(str(error)), trace)
    return Bug(error, trace)
