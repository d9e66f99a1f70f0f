"""The engine `processes`: several processes on one machine fill the store.

One small network cannot use all cores of a processor; several in parallel can.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, TypeAlias

from expunge.engines.schedule import Schedule
from expunge.engines.watch import Watch
from expunge.errors import ConfigError, ExpungeError
from expunge.graph.make import make_node
from expunge.graph.plan import Plan
from expunge.graph.runtime import Place, Runtime
from expunge.runs import Node, Store, available_cores

_Step: TypeAlias = tuple[str, int, int, int]
"""The arguments of the progress callback: task, done, total, images."""
_News: TypeAlias = "SimpleQueue[_Step | None]"

_SECONDS_BETWEEN_STEPS = 0.2
_LOADED = ("expunge.graph.kinds", "expunge.training.fit", "lightning_fabric", "sklearn.svm")
"""What all workers import; the fork server imports it once."""


def run_in_processes(
    plan: Plan, place: Place, watch: Watch, workers: int | None, *, keep_going: bool = False
) -> None:
    """Make the missing nodes of `plan`, `workers` at a time; by default one per core.

    Raises:
        ConfigError: a process ended without a result.
        ExpungeError: a node fails; what was made before it stays in the store.
    """
    schedule = Schedule(plan, keep_going=keep_going)
    workers = workers or available_cores()
    if workers == 1 or schedule.is_chain:
        from expunge.engines.here import run_here

        run_here(plan, place, watch, keep_going=keep_going, runtime=None)
        return
    with _Pool(plan, place, watch, workers) as pool:
        pool.run(schedule)
    schedule.close()


class _Pool:
    """Worker processes, each with a runtime; they report progress to this process's watch."""

    def __init__(self, plan: Plan, place: Place, watch: Watch, workers: int) -> None:
        self.graph = plan.graph
        self.place = place
        self.watch = watch
        self.workers = workers
        # Forking a process with threads may deadlock, so workers are forks of a server process
        # without threads, which has imported what they need.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload([__name__, *_LOADED])
        self._news: _News = self._processes.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._before = set(multiprocessing.active_children())

    @cached_property
    def _executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers,
            mp_context=self._processes,
            initializer=_begin,
            initargs=(self.graph.store.root, self.place, self._news),
        )

    def run(self, schedule: Schedule) -> None:
        """Submit nodes as they become ready, until all are made.

        Raises:
            ConfigError: a process ended without a result.
            ExpungeError: a node fails; those that have not started are left.
        """
        running: dict[Future[float | None], Node] = {}
        try:
            while not schedule.done:
                # Submit only what can start now, so that a free worker gets the best ready node.
                while len(running) < self.workers and (node := schedule.next()) is not None:
                    label = self.graph.labels[node.id]
                    running[self._executor.submit(_work, node.to_json(), label)] = node
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    node = running.pop(future)
                    try:
                        seconds = future.result()
                    except ExpungeError as error:
                        schedule.fail(node, error)
                        continue
                    self.watch.announce(node.id, self.graph.labels[node.id], seconds)
                    schedule.finished(node)
        except BrokenProcessPool:
            raise ConfigError(
                f"one of {self.workers} worker processes was killed, as the system does when "
                "memory runs out: run again with fewer --workers"
            ) from None

    def __enter__(self) -> _Pool:
        self._listener.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # Their unfinished nodes are lost in any case, and waiting for them may take hours.
            for process in set(multiprocessing.active_children()) - self._before:
                process.terminate()
        if "_executor" in vars(self):
            self._executor.shutdown(cancel_futures=True)
        # A terminated process may hold the queue's lock, so then neither put nor wait.
        if kind is None:
            self._news.put(None)
            self._listener.join()

    def _listen(self) -> None:
        while (news := self._news.get()) is not None:
            self.watch.progress(*news)


_store: Store
_runtime: Runtime
"""The store and runtime of this worker process."""


def _begin(root: Path, place: Place, news: _News) -> None:
    global _store, _runtime  # noqa: PLW0603
    # The parent handles Ctrl-C and terminates its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    number = multiprocessing.current_process().name.rpartition("-")[2]
    last = 0.0

    def progress(task: str, done: int, total: int, images: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done in (1, total) or now - last > _SECONDS_BETWEEN_STEPS:
            last = now
            news.put((f"{number}: {task}", done, total, images))

    _store = Store(root)
    _runtime = Runtime(place, progress)


def _end_with_parent() -> None:
    """Exit when the parent is killed; otherwise this process would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(node: dict[str, Any], label: str) -> float | None:
    return make_node(_store, Node.from_json(node), _runtime, label, "processes")
