"""The engine `ray`: makes nodes as remote tasks on a Ray cluster, in the order of the schedule.

It uses the cluster at `RAY_ADDRESS`, or starts one on this machine for the run. A task whose worker
dies is retried. It reports finished nodes, but no progress within a node.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import chdir, contextmanager
from typing import Any

from expunge.engines.remote import Outcome, Site, Task, make_nodes, open_site
from expunge.engines.schedule import Schedule
from expunge.engines.watch import Watch
from expunge.errors import ConfigError, ExpungeError
from expunge.graph.plan import Plan
from expunge.graph.runtime import Place
from expunge.runs import Node, available_cores

RETRIES = 3
"""How often a node is retried when its worker dies."""
_OBJECTS_BYTES = 80 * 2**20
"""Object store of a cluster started here. Tasks are small; this is about Ray's minimum."""


def run_on_ray(
    plan: Plan, place: Place, watch: Watch, workers: int | None, *, keep_going: bool = False
) -> None:
    """Make the missing nodes of `plan` on a cluster.

    Raises:
        ConfigError: Ray is not installed, the cluster cannot be reached, or a worker died too
            often.
        StoreError: a worker does not see the store.
        ExpungeError: a node fails; what was made before it stays in the store.
    """
    schedule = Schedule(plan, keep_going=keep_going)
    if schedule.done:
        return
    with _cluster(workers) as ray, open_site(plan.graph.store) as site:
        _Driver(ray, plan, place, watch, site).run(schedule, workers)
    schedule.close()


class _Driver:
    """Submits one task per node to a cluster."""

    def __init__(self, ray: Any, plan: Plan, place: Place, watch: Watch, site: Site) -> None:
        self.ray = ray
        self.graph = plan.graph
        self.watch = watch
        # These two are sent only once to each machine.
        self.site, self.place = ray.put(site), ray.put(place)
        self.work = ray.remote(make_nodes).options(
            num_cpus=1, num_gpus=_gpus(ray, place.device), max_retries=RETRIES
        )
        self.running: dict[Future[list[Outcome]], tuple[Node, Any]] = {}
        """By the future of its outcome: a node, and its task."""

    def run(self, schedule: Schedule, workers: int | None) -> None:
        """Submit nodes as they become ready, until all are made.

        Raises:
            ConfigError: a worker died too often.
            ExpungeError: a node fails.
        """
        try:
            while not schedule.done:
                # A few more than run in parallel, so that no worker waits for this process; but
                # only a few, so that a free worker gets the best ready node.
                most = workers or 2 * self._processors()
                while len(self.running) < most and (node := schedule.next()) is not None:
                    task = self._begin(node)
                    self.running[task.future()] = node, task
                # Not `ray.wait`, which turns an interruption into an error of its own.
                for answer in wait(self.running, return_when=FIRST_COMPLETED).done:
                    node, _ = self.running.pop(answer)
                    self._end(schedule, node, answer)
        except BaseException:
            for _, task in self.running.values():
                self.ray.cancel(task, force=True)
            raise

    def _processors(self) -> int:
        """The cores of all machines; asked each time, because a cluster may grow."""
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def _begin(self, node: Node) -> Any:
        nodes = [(node.to_json(), self.graph.labels[node.id])]
        return self.work.remote(Task(nodes=nodes, engine="ray"), self.site, self.place)

    def _end(self, schedule: Schedule, node: Node, answer: Future[list[Outcome]]) -> None:
        outcome = self._outcome(node, answer)
        if isinstance(outcome, ExpungeError):
            schedule.fail(node, outcome)
        else:
            self.watch.announce(node.id, self.graph.labels[node.id], outcome)
            schedule.finished(node)

    def _outcome(self, node: Node, answer: Future[list[Outcome]]) -> Outcome:
        errors = self.ray.exceptions
        try:
            (outcome,) = answer.result()
        except errors.RayTaskError as error:
            if isinstance(error.cause, ImportError):
                return ConfigError(
                    f"a worker cannot start {node.id} ({error.cause}): every machine of the "
                    "cluster needs the same expunge"
                )
            raise
        except errors.RayError as error:
            return ConfigError(
                f"the worker for {node.id} was lost {1 + RETRIES} times ({_line(error)}): if "
                "memory is short, run with fewer --workers"
            )
        return outcome


@contextmanager
def _cluster(workers: int | None) -> Iterator[Any]:
    """Connect Ray for the block; a connection that the program already has stays open.

    Raises:
        ConfigError: Ray is not installed, or the cluster does not respond.
    """
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise ConfigError('--engine ray needs Ray: pip install "expunge[ray]"') from None
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {}
    if address == "local":
        own = {"num_cpus": workers or available_cores(), "object_store_memory": _OBJECTS_BYTES}
        # No usage statistics from a cluster that lives only as long as this run.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ended = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        # Ray makes the working directory the first place where workers look for modules.
        with chdir("/"):
            ray.init(
                address=address,
                include_dashboard=False if own else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **own,
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster at {address} ({_line(error)}): start one, or unset RAY_ADDRESS to "
            "start one on this machine"
        ) from None
    finally:
        # Ray installs its own SIGTERM handler; restore the command's.
        signal.signal(signal.SIGTERM, ended)
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Check that the address responds, because Ray would keep trying for minutes.

    Raises:
        OSError: it does not respond.
    """
    found = re.fullmatch(r"(?:ray://)?([^:/]+):([0-9]+)", address)
    if found is not None:
        socket.create_connection((found[1], int(found[2])), timeout=20).close()


def _gpus(ray: Any, device: str) -> int:
    """How many GPUs to request per task; a task sees only those that it requests."""
    wanted = device in ("cuda", "gpu")
    return int(wanted or (device == "auto" and ray.cluster_resources().get("GPU", 0) > 0))


def _line(error: Exception) -> str:
    """The first line of Ray's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
