"""A grid's stages in several processes of one machine: they fill the store that the grid reads.

Small networks cannot use the cores of a processor together; several of them at once can.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from expunge.bench.experiment import Experiment
from expunge.bench.grid import REFERENCE, bases_of_seed, original_stage
from expunge.bench.stages import (
    Stage,
    ensure,
    measure_stage,
    predict_stage,
    prune_stage,
    unlearn_stage,
)
from expunge.bench.threads import share_processor
from expunge.bench.workspace import Workspace
from expunge.errors import ConfigError
from expunge.runs import Store
from expunge.sparsity import PruneConfig

_Finished: TypeAlias = tuple[str, str, float | None]
"""What is announced of a stage: its id, its label, its seconds."""
_Step: TypeAlias = tuple[str, int, int, int]
"""What progress is told: task, done, total, images."""
_News: TypeAlias = "SimpleQueue[_Finished | _Step | None]"

_SECONDS_BETWEEN_STEPS = 0.2


def fill_store(workspace: Workspace, experiment: Experiment, workers: int) -> None:
    """Make what `run_grid` will ask for and is not there yet, with so many processes.

    Each has its share of the processor's threads. What they make is what one process makes; the
    order of sums within a batch follows the number of threads, as ever.

    Raises:
        ConfigError: several devices train together too, or a process ended without an answer.
        ExpungeError: a stage fails; what was made before it stays in the store.
    """
    if workspace.devices > 1:
        raise ConfigError(
            f"workers={workers} and devices={workspace.devices} cannot both be more than 1: "
            "leave one of them out"
        )
    with _Pool(workspace, workers) as pool:
        pool.run([_Original(experiment, seed) for seed in experiment.seeds])
        pool.run(list(_sparse_ones(workspace, experiment)))
        measured = [
            _Measured(experiment, scenario, base.run_id)
            for seed in experiment.seeds
            for base in bases_of_seed(workspace, experiment, seed)
            for scenario in experiment.scenarios
        ]
        pool.run([model for one in measured for model in one.models()])
        pool.run(measured)


def _sparse_ones(workspace: Workspace, experiment: Experiment) -> Iterator["_Sparse"]:
    for seed in experiment.seeds:
        dense = ensure(workspace, original_stage(workspace, experiment, seed))
        for pruner in experiment.pruners:
            for config in experiment.pruner_configs(pruner):
                yield _Sparse(dense, pruner, config)


class _Job(Protocol):
    """Stages that one process makes one after another; it travels to that process."""

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        """Each is asked for when those before it are in the store."""
        ...


@dataclass(frozen=True)
class _Original:
    experiment: Experiment
    seed: int

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        yield original_stage(workspace, self.experiment, self.seed)


@dataclass(frozen=True)
class _Sparse:
    dense_id: str
    pruner: str
    config: PruneConfig

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        yield prune_stage(workspace, self.dense_id, self.pruner, self.config)


@dataclass(frozen=True)
class _Unlearned:
    """A model and what it predicts."""

    base_id: str
    scenario: str
    method: str
    config: Any

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        stage = unlearn_stage(workspace, self.base_id, self.scenario, self.method, self.config)
        yield stage
        yield predict_stage(workspace, stage.spec.id)


@dataclass(frozen=True)
class _Measured:
    """All that is measured of one base in one scenario."""

    experiment: Experiment
    scenario: str
    base_id: str

    def models(self) -> Iterator[_Unlearned]:
        for name in self.experiment.methods:
            config = self.experiment.method_config(name, self.scenario)
            yield _Unlearned(self.base_id, self.scenario, name, config)

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        models = {
            one.method: unlearn_stage(
                workspace, one.base_id, one.scenario, one.method, one.config
            ).spec.id
            for one in self.models()
        }
        for model_id in (self.base_id, *models.values()):
            yield measure_stage(
                workspace, model_id, self.base_id, self.scenario, models.get(REFERENCE)
            )


class _Pool:
    """Processes with a workspace each, whose news go to this process's workspace."""

    def __init__(self, workspace: Workspace, workers: int) -> None:
        self.workspace = workspace
        self.workers = workers
        # Spawned, not forked: a fork of a process with threads may wait for ever.
        self._spawning = multiprocessing.get_context("spawn")
        self._news: _News = self._spawning.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._before = set(multiprocessing.active_children())

    @cached_property
    def _executor(self) -> ProcessPoolExecutor:
        space = self.workspace
        place = (
            space.store.root,
            space.device,
            space.compiled,
            space.cache_dir,
            space.budget_bytes,
        )
        return ProcessPoolExecutor(
            self.workers,
            mp_context=self._spawning,
            initializer=_begin,
            initargs=(*place, self._news),
        )

    def run(self, jobs: Sequence[_Job]) -> None:
        """Run jobs that do not wait for each other, but for those that are done already.

        Raises:
            ConfigError: a process ended without an answer.
            ExpungeError: a job fails; those that have not begun are left.
        """
        missing = [job for job in jobs if not self._is_done(job)]
        at_once = min(self.workers, len(missing))
        if at_once == 1:
            # One job alone is this process's, with all threads; others wake up for those after it.
            for _ in range(self.workers):
                self._executor.submit(_wake_up)
            _make(self.workspace, missing[0])
            return
        try:
            futures = [self._executor.submit(_work, job, at_once) for job in missing]
            for future in as_completed(futures):
                future.result()
        except BrokenProcessPool:
            raise ConfigError(
                f"one of {self.workers} worker processes was ended from outside, which the system "
                "does where memory is short: run again with fewer --workers"
            ) from None

    def _is_done(self, job: _Job) -> bool:
        has = self.workspace.store.has
        return all(has(stage.spec.id) for stage in job.stages(self.workspace))

    def __enter__(self) -> "_Pool":
        self._listener.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # What they are at is lost in any case, and waiting for it may take hours.
            for process in set(multiprocessing.active_children()) - self._before:
                process.terminate()
        if "_executor" in vars(self):
            self._executor.shutdown(cancel_futures=True)
        # A process that was ended may hold the queue's lock: then nothing is put, nor waited for.
        if kind is None:
            self._news.put(None)
            self._listener.join()

    def _listen(self) -> None:
        while (news := self._news.get()) is not None:
            if len(news) == 3:
                self.workspace.tell(*news)
            else:
                self.workspace.progress(*news)


_workspace: Workspace
"""Of this worker process."""


def _begin(
    root: Path,
    device: str,
    compiled: bool,
    cache_dir: Path | None,
    budget_bytes: int,
    news: _News,
) -> None:
    global _workspace  # noqa: PLW0603
    # Ctrl-C is the parent's affair: it ends its workers.
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

    _workspace = Workspace(
        Store(root),
        device=device,
        compiled=compiled,
        cache_dir=cache_dir,
        budget_bytes=budget_bytes,
        progress=progress,
        announce=lambda run_id, label, seconds: news.put((run_id, label, seconds)),
    )


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _wake_up() -> None:
    """Nothing: a process is there once it has been asked for something."""


def _work(job: _Job, at_once: int) -> None:
    share_processor(at_once)
    _make(_workspace, job)


def _make(workspace: Workspace, job: _Job) -> None:
    for stage in job.stages(workspace):
        ensure(workspace, stage)
