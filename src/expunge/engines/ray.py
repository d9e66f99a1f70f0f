"""The engine `ray`: nodes are remote tasks of a Ray cluster, in the order of the schedule.

The cluster that `RAY_ADDRESS` names is used, else one of this machine is started for the run. A
task whose worker dies is begun again. The steps within a node are not told; that it ended is.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any

from expunge.engines.remote import Outcome, Site, Task, make_nodes, open_site
from expunge.engines.schedule import Schedule
from expunge.engines.watch import Watch
from expunge.errors import ConfigError, ExpungeError
from expunge.graph.plan import Plan
from expunge.graph.runtime import Place
from expunge.runs import Node, available_cores

RETRIES = 3
"""How often a node is begun again whose worker died."""
_OBJECTS_BYTES = 80 * 2**20
"""Of a cluster of our own for objects, which are tasks: about the least that Ray takes."""


def run_on_ray(
    plan: Plan, place: Place, watch: Watch, workers: int | None, *, keep_going: bool = False
) -> None:
    """Make the missing nodes of `plan` on a cluster.

    Raises:
        ConfigError: Ray is not installed, the cluster cannot be had, or a worker died again and
            again.
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
    """Gives a cluster one task a node."""

    def __init__(self, ray: Any, plan: Plan, place: Place, watch: Watch, site: Site) -> None:
        self.ray = ray
        self.graph = plan.graph
        self.watch = watch
        # These two are sent to each machine once.
        self.site, self.place = ray.put(site), ray.put(place)
        self.work = ray.remote(make_nodes).options(
            num_cpus=1, num_gpus=_gpus(ray, place.device), max_retries=RETRIES
        )
        self.running: dict[Future[list[Outcome]], tuple[Node, Any]] = {}
        """By the answer that will come: a node, and its task."""

    def run(self, schedule: Schedule, workers: int | None) -> None:
        """Give out nodes as they may begin, until all are made.

        Raises:
            ConfigError: a worker died again and again.
            ExpungeError: a node fails.
        """
        try:
            while not schedule.done:
                # A few more than run at a time, so that none waits for this process, and no more:
                # which comes next is seen when one is free.
                most = workers or 2 * self._processors()
                while len(self.running) < most and (node := schedule.next()) is not None:
                    task = self._begin(node)
                    self.running[task.future()] = node, task
                # Not by `ray.wait`, which answers an interruption with an error of its own.
                for answer in wait(self.running, return_when=FIRST_COMPLETED).done:
                    node, _ = self.running.pop(answer)
                    self._end(schedule, node, answer)
        except BaseException:
            for _, task in self.running.values():
                self.ray.cancel(task, force=True)
            raise

    def _processors(self) -> int:
        """Of all machines: a cluster may grow."""
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
                    f"a worker cannot begin {node.id} ({error.cause}): every machine of the "
                    "cluster needs the same expunge"
                )
            raise
        except errors.RayError as error:
            return ConfigError(
                f"the worker that made {node.id} was lost {1 + RETRIES} times ({_line(error)}): if "
                "memory is short, run with fewer --workers"
            )
        return outcome


@contextmanager
def _cluster(workers: int | None) -> Iterator[Any]:
    """Ray, connected for the block; a program that has connected it already keeps its connection.

    Raises:
        ConfigError: Ray is not installed, or the cluster does not answer.
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
        # A cluster that lives as long as this run has nothing to report to anybody.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ended = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
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
            "have one of this machine"
        ) from None
    finally:
        # Ray answers a request to end in a way of its own; how we do is the command's affair.
        signal.signal(signal.SIGTERM, ended)
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Ray would try for minutes to reach a machine that does not answer.

    Raises:
        OSError: it does not.
    """
    found = re.fullmatch(r"(?:ray://)?([^:/]+):([0-9]+)", address)
    if found is not None:
        socket.create_connection((found[1], int(found[2])), timeout=20).close()


def _gpus(ray: Any, device: str) -> int:
    """How many GPUs a task takes, which it would not see otherwise."""
    wanted = device in ("cuda", "gpu")
    return int(wanted or (device == "auto" and ray.cluster_resources().get("GPU", 0) > 0))


def _line(error: Exception) -> str:
    """The first line of what Ray says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
