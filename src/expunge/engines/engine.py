"""The choice of an engine and its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from expunge.errors import ConfigError, unknown

ENGINES = ("here", "processes", "ray", "slurm")
"""The engines, by name."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of several runs of the same graph on one store, each of which makes a share of it."""

    number: int
    """Which shard: 1, 2, ..."""
    count: int
    """How many shards."""
    waits: bool = False
    """Whether it also waits for what only others need, as a search must between rounds."""

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ConfigError(
                f"shard {self} is not one of {self.count}: expected 1/N to N/N, as in --shard 1/4"
            )

    def __str__(self) -> str:
        """The text that `parse` reads."""
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str, *, waits: bool = False) -> Shard:
        """The shard written as `i/N`.

        Raises:
            ConfigError: the text is not of this form, or i is not from 1 to N.

        >>> str(Shard.parse("2/4"))
        '2/4'
        """
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        if found is None:
            raise ConfigError(f"shard {text!r}: expected i/N, as in --shard 1/4")
        return cls(number=int(found[1]), count=int(found[2]), waits=waits)

    def owns(self, node_id: str) -> bool:
        """Whether a node is in this shard's share."""
        return self.owner(node_id) == self.number

    def owner(self, node_id: str) -> int:
        """The number of the shard whose share a node is in, which follows from its id."""
        return int(node_id.rpartition("-")[2], 16) % self.count + 1


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Which engine makes nodes, and its settings.

    Raises:
        ConfigError: no engine has this name, or it does not take these settings.
    """

    name: str = "here"
    """One of `ENGINES`."""
    workers: int | None = None
    """How many nodes, or jobs for `slurm`, run in parallel; None: one per core for `processes`,
    what the cluster has for `ray`, 64 for `slurm`."""
    keep_going: bool = False
    """Whether a failed node stops only the nodes that need it."""
    shard: Shard | None = None
    """The share of the graph that `here` makes; None: all of it."""
    slurm: Mapping[str, Any] = field(default_factory=dict)
    """What `slurm` requests from the cluster, with submitit's names, such as `slurm_partition`."""

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise ConfigError(unknown("engine", self.name, ENGINES))
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers must be 1 or more, got {self.workers}")
        if self.shard is not None and (self.name != "here" or (self.workers or 1) > 1):
            raise ConfigError(
                f"--shard {self.shard} runs in one process: leave out --engine and --workers, and "
                "start more shards instead"
            )
        if self.name == "here" and (self.workers or 1) > 1:
            raise ConfigError(
                f"engine here makes one node at a time, got workers={self.workers}: leave out "
                "--workers, or use --engine processes"
            )
        if self.slurm and self.name != "slurm":
            raise ConfigError(f"--slurm is for --engine slurm, got --engine {self.name}")
