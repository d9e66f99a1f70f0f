"""What a command works with: a store, an engine, and a terminal that shows progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from expunge.cli.output import tell
from expunge.cli.tracking import Tracking
from expunge.engines import Engine, check_devices, run
from expunge.engines.crowding import crowding
from expunge.engines.watch import Watch
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds import KINDS
from expunge.graph.kinds.forget import count_line
from expunge.graph.runtime import Place, Runtime
from expunge.runs import Store

if TYPE_CHECKING:
    from expunge.cli.progress import Terminal
    from expunge.graph.kinds.train import Together


@dataclass
class Session:
    """One command's store and engine.

    Raises:
        ConfigError: several devices are asked for together with compilation, or with an engine
            that takes only one.
        StoreError: the store cannot be used.
    """

    root: Path
    engine: Engine
    device: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    compiled: bool = False
    track: Sequence[str] = ()
    store: Store = field(init=False)
    tracking: Tracking = field(init=False)
    _told: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        if self.compiled and self.devices > 1:
            raise ConfigError(
                f"compile and devices={self.devices} cannot be combined: leave one of them out"
            )
        check_devices(self.engine, self.devices)
        self.store = Store(self.root)
        self.tracking = Tracking(self.track, self.store)
        if self.devices > 1 and not self.runtime.leads:
            # Only one of the processes that train together prints.
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115

    @cached_property
    def place(self) -> Place:
        """Where nodes run."""
        return Place(device=self.device, devices=self.devices, strategy=self.strategy)

    @cached_property
    def together(self) -> Together:
        """How training steps run: devices, strategy, compilation."""
        from expunge.graph.kinds.train import Together

        return Together(devices=self.devices, strategy=self.strategy, compiled=self.compiled)

    @cached_property
    def terminal(self) -> Terminal:
        """Progress on standard error."""
        from expunge.cli.progress import Terminal

        return Terminal()

    @cached_property
    def runtime(self) -> Runtime:
        """What the nodes made in this process share."""
        return Runtime(self.place, self._progress)

    @property
    def leads(self) -> bool:
        """Whether this process writes and prints for all that train together."""
        return self.devices == 1 or self.runtime.leads

    def graph(self) -> Graph:
        """An empty graph over the store."""
        return Graph(self.store)

    def run(self, graph: Graph) -> None:
        """Make the missing nodes of a graph, and show progress.

        Raises:
            ExpungeError: a node fails; what was made before it stays in the store.
            typer.Exit: other shards still have nodes to make, so results are incomplete.
        """
        if self.leads:
            # A search plans the same data for every trial.
            self._tell(graph.notes)
            self._tell_crowding(graph)

        def announce(node_id: str, label: str, seconds: float | None) -> None:
            self._announce(node_id, label, seconds)
            if self.leads and node_id in graph.uncounted:
                self._tell([count_line(graph, node_id)])

        watch = Watch(self._progress, announce)
        try:
            left = run(graph, self.engine, self.place, watch, self.runtime)
        finally:
            if self.leads:
                self.terminal.summarise()
                self.tracking.close()
        if left:
            nodes = f"{left} node{'s' * (left > 1)} of other shards"
            tell(
                f"shard {self.engine.shard} is done; {nodes} {'are' if left > 1 else 'is'} "
                "missing: the last shard to end writes the results"
            )
            raise typer.Exit

    def _tell_crowding(self, graph: Graph) -> None:
        line = crowding(graph, self.engine)
        if line is not None and self.runtime.device == "cpu":
            self._tell([line])

    def _tell(self, lines: Iterable[str]) -> None:
        """Show the lines that were not shown before."""
        for line in lines:
            if line not in self._told:
                tell(line)
                self._told.add(line)

    def _progress(self, task: str, done: int, total: int, images: int) -> None:
        self.terminal.progress(task, done, total, images)

    def _announce(self, node_id: str, label: str, seconds: float | None) -> None:
        if self.leads:
            minor = KINDS[node_id.rpartition("-")[0]].minor
            self.terminal.announce(node_id, label, seconds, minor=minor)
            self.tracking.node(node_id, label, made=seconds is not None)
