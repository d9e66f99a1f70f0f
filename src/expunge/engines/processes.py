"""The engine `processes`: several processes on one machine fill the store.

One small network cannot use all cores of a processor; several in parallel can.
"""

from __future__ import annotations

import time

from expunge.engines.pool import Pool
from expunge.engines.schedule import Schedule
from expunge.engines.watch import Watch
from expunge.engines.worker import Step
from expunge.errors import ExpungeError
from expunge.graph.plan import Plan
from expunge.graph.runtime import Place
from expunge.runs import Node, available_cores

_SECONDS_TO_UNLOCK = 0.1


def run_in_processes(
    plan: Plan, place: Place, watch: Watch, workers: int | None, *, keep_going: bool = False
) -> None:
    """Make the missing nodes of `plan`, `workers` at a time; by default one per core.

    Raises:
        ConfigError: a process was killed.
        ExpungeError: a node fails; what was made before it stays in the store.
    """
    schedule = Schedule(plan, keep_going=keep_going)
    workers = workers or available_cores()
    if workers == 1 or schedule.is_chain:
        from expunge.engines.here import run_here

        run_here(plan, place, watch, keep_going=keep_going, runtime=None)
        return
    pool = Pool(workers, plan.graph.store.root, place)
    try:
        _drive(pool, plan, watch, schedule)
    except BaseException:
        pool.close()
        # What the workers were making is nobody's now; their locks end with them, a moment later.
        time.sleep(_SECONDS_TO_UNLOCK)
        plan.graph.store.sweep()
        raise
    pool.close()
    schedule.close()


def _drive(pool: Pool, plan: Plan, watch: Watch, schedule: Schedule) -> None:
    """Hand out nodes as they become ready, until all are made."""
    labels = plan.graph.labels
    running: dict[int, Node] = {}
    while not schedule.done:
        # Hand out only what can start now, so that a free worker gets the best ready node.
        while pool.free and (node := schedule.next()) is not None:
            running[pool.start(node, labels[node.id])] = node
        for number, news in pool.news():
            if isinstance(news, Step):
                watch.progress(news.task, news.done, news.total, news.images)
                continue
            node = running.pop(number)
            if isinstance(news.outcome, ExpungeError):
                schedule.fail(node, news.outcome)
            else:
                watch.announce(node.id, labels[node.id], news.outcome)
                schedule.finished(node)
