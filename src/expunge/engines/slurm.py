"""The engine `slurm`: submits the nodes that may start as a job array to a Slurm cluster.

A job makes several nodes, one after another. A job that is preempted or runs out of time is queued
again, and continues with its unfinished node; earlier ones are in the store. Tasks and logs are in
`.jobs` in the store's folder, and stay there when a run fails.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

from expunge.engines.remote import Outcome, Site, Task, make_nodes, open_site
from expunge.engines.schedule import Schedule
from expunge.engines.watch import Watch
from expunge.errors import ConfigError, ExpungeError
from expunge.graph.plan import Plan
from expunge.graph.runtime import Place
from expunge.runs import Node

JOBS_AT_A_TIME = 64
"""How many jobs run in parallel unless `workers` is given."""
MOST_NODES = 100
"""The most nodes in one job."""
ATTEMPTS = 3
"""How many jobs may end without a result, and without making a node, before a node fails."""
_DEFAULTS = {"name": "expunge", "timeout_min": 120}
_SECONDS_BETWEEN_LOOKS = 1.0

_Job: TypeAlias = "Any"
"""A job of submitit."""


def run_on_slurm(
    plan: Plan,
    place: Place,
    watch: Watch,
    workers: int | None,
    settings: Mapping[str, Any],
    *,
    keep_going: bool = False,
) -> None:
    """Make the missing nodes of `plan` in jobs, at most `workers` in parallel.

    `settings` are the parameters of submitit's `AutoExecutor.update_parameters`, and `cluster`:
    "slurm", or "local" to try it with processes on this machine.

    Raises:
        ConfigError: submitit or Slurm is not installed, a setting is unknown, or jobs end without
            a result.
        StoreError: a worker does not see the store.
        ExpungeError: a node fails; what was made before it stays in the store.
    """
    schedule = Schedule(plan, keep_going=keep_going)
    _submitit(settings)
    if schedule.done:
        return
    with open_site(plan.graph.store) as site:
        _Driver(plan, place, watch, site, settings).run(schedule, workers or JOBS_AT_A_TIME)
    schedule.close()


class MakeNodes:
    """What a job does. When queued again it starts over, but skips nodes in the store."""

    def __init__(self, task: Task, site: Site, place: Place) -> None:
        self.task = task
        self.site = site
        self.place = place

    def __call__(self) -> list[Outcome]:
        """Return one outcome for each node that was started."""
        return make_nodes(self.task, self.site, self.place)

    def checkpoint(self) -> Any:
        """What submitit queues when this job is preempted or runs out of time."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class _Driver:
    """Submits jobs of a few nodes each to a cluster."""

    def __init__(
        self, plan: Plan, place: Place, watch: Watch, site: Site, settings: Mapping[str, Any]
    ) -> None:
        self.graph = plan.graph
        self.place = place
        self.watch = watch
        self.site = site
        self.executor = _executor(site, settings)
        self.running: dict[str, tuple[_Job, list[Node]]] = {}
        self.lost: Counter[str] = Counter()

    def run(self, schedule: Schedule, most: int) -> None:
        """Submit nodes as they become ready, until all are made.

        Raises:
            ConfigError: jobs end without a result.
            ExpungeError: a node fails.
        """
        try:
            while not schedule.done:
                self._begin(schedule, most - len(self.running))
                ended = [name for name, (job, _) in self.running.items() if job.done()]
                for name in ended:
                    self._end(schedule, *self.running.pop(name))
                if not ended:
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
        except BaseException:
            for job, _ in self.running.values():
                job.cancel(check=False)
            raise

    def _begin(self, schedule: Schedule, free: int) -> None:
        """Divide the ready nodes among the free jobs, and submit those as one array."""
        if not (free and schedule.ready):
            return
        size = min(MOST_NODES, -(-schedule.ready // free))
        chunks: list[list[Node]] = []
        while len(chunks) < free and schedule.ready:
            chunk = [node for _ in range(min(size, schedule.ready)) if (node := schedule.next())]
            chunks.append(chunk)
        with self.executor.batch():
            jobs = [self.executor.submit(self._work(schedule, chunk)) for chunk in chunks]
        self.running |= {job.job_id: (job, chunk) for job, chunk in zip(jobs, chunks, strict=True)}

    def _work(self, schedule: Schedule, chunk: list[Node]) -> MakeNodes:
        nodes = [(node.to_json(), self.graph.labels[node.id]) for node in chunk]
        task = Task(nodes=nodes, engine="slurm", keep_going=schedule.keep_going)
        return MakeNodes(task, self.site, self.place)

    def _end(self, schedule: Schedule, job: _Job, nodes: list[Node]) -> None:
        outcomes = self._outcomes(job)
        if outcomes is None:
            self._look(schedule, nodes, job)
            return
        for node, outcome in zip(nodes, outcomes, strict=False):
            if isinstance(outcome, ExpungeError):
                schedule.fail(node, outcome)
            else:
                self._finished(schedule, node, outcome)

    def _outcomes(self, job: _Job) -> list[Outcome] | None:
        """A job's outcomes; None if it ended without a result: killed, or out of time."""
        from submitit.core.utils import FailedJobError, UncompletedJobError

        try:
            return job.result()  # type: ignore[no-any-return]
        except FailedJobError as error:
            trace = str(error).strip()
            # submitit keeps only the text of errors.
            if "UncompletedJobError" in trace:
                return None
            raise
        except UncompletedJobError:
            return None

    def _look(self, schedule: Schedule, nodes: list[Node], job: _Job) -> None:
        """After a job without a result, find which nodes are made, and schedule the rest again."""
        there = [node for node in nodes if self.graph.store.has(node)]
        for node in there:
            self._finished(schedule, node, None)
        for node in (node for node in nodes if node not in there):
            self.lost[node.id] += not there
            if self.lost[node.id] < ATTEMPTS:
                schedule.put_back(node)
                continue
            error = ConfigError(
                f"{ATTEMPTS} jobs ended without making {node.id}: see {job.paths.stderr}; every "
                "worker needs the store's own file system, and --slurm timeout_min=N and mem_gb=N "
                "that are enough"
            )
            schedule.fail(node, error)

    def _finished(self, schedule: Schedule, node: Node, seconds: float | None) -> None:
        self.watch.announce(node.id, self.graph.labels[node.id], seconds)
        schedule.finished(node)


def _submitit(settings: Mapping[str, Any]) -> None:
    """Check that submitit and Slurm are installed.

    Raises:
        ConfigError: one of them is missing.
    """
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise ConfigError('--engine slurm needs submitit: pip install "expunge[slurm]"') from None
    if settings.get("cluster", "slurm") == "slurm" and shutil.which("sbatch") is None:
        raise ConfigError(
            "--engine slurm needs Slurm's sbatch, which is not on this machine: run the command "
            "on a login node, or try it here with --slurm cluster=local"
        )


def _executor(site: Site, settings: Mapping[str, Any]) -> Any:
    """The executor of submitit with these settings.

    Raises:
        ConfigError: submitit does not know a setting or the cluster.
    """
    import submitit

    others = {name: value for name, value in settings.items() if name != "cluster"}
    try:
        executor = submitit.AutoExecutor(site.folder, cluster=settings.get("cluster", "slurm"))
        executor.update_parameters(**{**_DEFAULTS, **others})
    except (NameError, AssertionError, ValueError, TypeError) as error:
        raise ConfigError(f"--slurm: {' '.join(str(error).split())}") from None
    return executor
