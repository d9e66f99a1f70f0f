"""The engine `here`: makes one node after another, in this process."""

from __future__ import annotations

from expunge.engines.schedule import Schedule
from expunge.engines.watch import Watch
from expunge.errors import ExpungeError
from expunge.graph.make import make_node
from expunge.graph.plan import Plan
from expunge.graph.runtime import Place, Runtime


def run_here(
    plan: Plan, place: Place, watch: Watch, *, keep_going: bool = False, runtime: Runtime | None
) -> None:
    """Make the missing nodes of `plan`. Only this engine supports several devices.

    Raises:
        ExpungeError: a node fails; what was made before it stays in the store.
    """
    graph = plan.graph
    runtime = runtime or Runtime(place, watch.progress)
    schedule = Schedule(plan, keep_going=keep_going)
    while (node := schedule.next()) is not None:
        label = graph.labels[node.id]
        try:
            seconds = make_node(graph.store, node, runtime, label, "here")
        except ExpungeError as error:
            schedule.fail(node, error)
            continue
        if runtime.leads:
            watch.announce(node.id, label, seconds)
        schedule.finished(node)
    schedule.close()
