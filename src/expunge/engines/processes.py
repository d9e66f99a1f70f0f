"""A grid's stages in several processes of one machine: they fill the store that the grid reads.

Small networks cannot use the cores of a processor together; several of them at once can.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Protocol, TypeAlias

from expunge.bench.experiment import Experiment
from expunge.bench.grid import REFERENCE, original_stage
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
from expunge.sparsity.pruner import PruneConfig

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


class _Job(Protocol):
    """Stages that one process makes one after another; it travels to that process."""

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        """Each is asked for when those before it are in the store."""
        ...

    def next(self, workspace: Workspace) -> Iterator["_Job"]:
        """The jobs that can begin now that this one's stages are in the store."""
        ...


@dataclass(frozen=True)
class _Original:
    experiment: Experiment
    seed: int

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        stage = original_stage(workspace, self.experiment, self.seed)
        yield stage
        yield predict_stage(workspace, stage.spec.id)

    def next(self, workspace: Workspace) -> Iterator[_Job]:
        dense_id = next(self.stages(workspace)).spec.id
        # Sparse models come first: more waits for them.
        for pruner in self.experiment.pruners:
            for config in self.experiment.pruner_configs(pruner):
                yield _Sparse(self.experiment, dense_id, pruner, config)
        yield from _models(self.experiment, dense_id)


@dataclass(frozen=True)
class _Sparse:
    experiment: Experiment
    dense_id: str
    pruner: str
    config: PruneConfig

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        stage = prune_stage(workspace, self.dense_id, self.pruner, self.config)
        yield stage
        yield predict_stage(workspace, stage.spec.id)

    def next(self, workspace: Workspace) -> Iterator[_Job]:
        yield from _models(self.experiment, next(self.stages(workspace)).spec.id)


@dataclass(frozen=True)
class _Unlearned:
    """A model and what it predicts."""

    experiment: Experiment
    base_id: str
    scenario: str
    method: str

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        config = self.experiment.method_config(self.method, self.scenario)
        stage = unlearn_stage(workspace, self.base_id, self.scenario, self.method, config)
        yield stage
        yield predict_stage(workspace, stage.spec.id)

    def next(self, workspace: Workspace) -> Iterator[_Job]:
        measured = _Measured(self.experiment, self.base_id, self.scenario)
        if all(_is_done(workspace, model) for model in measured.models()):
            yield measured


@dataclass(frozen=True)
class _Measured:
    """All that is measured of one base in one scenario."""

    experiment: Experiment
    base_id: str
    scenario: str

    def models(self) -> list[_Unlearned]:
        return [
            _Unlearned(self.experiment, self.base_id, self.scenario, name)
            for name in self.experiment.methods
        ]

    def stages(self, workspace: Workspace) -> Iterator[Stage]:
        models = {one.method: next(one.stages(workspace)).spec.id for one in self.models()}
        for model_id in (self.base_id, *models.values()):
            yield measure_stage(
                workspace, model_id, self.base_id, self.scenario, models.get(REFERENCE)
            )

    def next(self, workspace: Workspace) -> Iterator[_Job]:
        yield from ()


def _is_done(workspace: Workspace, job: _Job) -> bool:
    return all(workspace.store.has(stage.spec.id) for stage in job.stages(workspace))


def _models(experiment: Experiment, base_id: str) -> Iterator[_Unlearned]:
    for scenario in experiment.scenarios:
        yield from _Measured(experiment, base_id, scenario).models()


class _Pool:
    """Processes with a workspace each, whose news go to this process's workspace."""

    def __init__(self, workspace: Workspace, workers: int) -> None:
        self.workspace = workspace
        self.workers = workers
        # A fork of a process with threads may wait for ever: they are forks of one without, which
        # has loaded what all of them need.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload([__name__, "lightning_fabric", "sklearn.svm"])
        self._news: _News = self._processes.SimpleQueue()
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
            mp_context=self._processes,
            initializer=_begin,
            initargs=(*place, self._news),
        )

    def run(self, jobs: Sequence[_Job]) -> None:
        """Run jobs, and those that can begin after them, but for what is done already.

        Raises:
            ConfigError: a process ended without an answer.
            ExpungeError: a job fails; those that have not begun are left.
        """
        known: list[_Job] = []
        running: dict[Future[None], _Job] = {}
        missing = self._missing(jobs, known)
        while len(missing) == 1:
            (alone,) = missing
            self._make_here(alone)
            missing = self._missing(alone.next(self.workspace), known)
        at_once = min(self.workers, len(missing))
        try:
            while missing or running:
                running |= {self._executor.submit(_work, job, at_once): job for job in missing}
                # From now on all are at work: a model is not to depend on when others were ready.
                at_once = self.workers
                missing = []
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    future.result()
                    missing += self._missing(running.pop(future).next(self.workspace), known)
        except BrokenProcessPool:
            raise ConfigError(
                f"one of {self.workers} worker processes was ended from outside, which the system "
                "does where memory is short: run again with fewer --workers"
            ) from None

    def _missing(self, jobs: Iterable[_Job], known: list[_Job]) -> list[_Job]:
        """What is to be made of jobs and of those after them; `known` grows by what was seen."""
        missing: list[_Job] = []
        for job in jobs:
            if job in known:
                continue
            known.append(job)
            if _is_done(self.workspace, job):
                missing += self._missing(job.next(self.workspace), known)
            else:
                missing.append(job)
        return missing

    def _make_here(self, job: _Job) -> None:
        """One job alone is this process's, with all threads."""
        if isinstance(job, _Original):
            # Others wake up for what comes after it.
            for _ in range(self.workers):
                self._executor.submit(_wake_up)
        _make(self.workspace, job)

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
