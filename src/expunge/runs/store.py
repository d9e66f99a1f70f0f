"""The store: one folder per artefact, named by its node's id, complete or absent.

An artefact is written to a temporary folder and renamed once everything is on the disk. That alone
keeps it complete; locks, if the filesystem has them, keep two processes from making the same one.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from expunge.atomic import publish
from expunge.errors import StoreError, some
from expunge.runs.artefact import RECORD, Artefact, read_artefact, seal
from expunge.runs.aside import Aside
from expunge.runs.files import JSON, disk_is_full
from expunge.runs.format import check_format, ids_in, mark_format
from expunge.runs.locks import Locks
from expunge.runs.node import Node, is_id


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An artefact in a list, from its record; its files are not read."""

    id: str
    kind: str
    created: str
    """When it was finished: ISO 8601, UTC; empty if it cannot be read."""
    size_bytes: int
    label: str
    """Its label, if its maker recorded one."""
    params: Mapping[str, JSON]
    """Of its node; empty where it cannot be read."""
    parents: Mapping[str, str]
    """Of its node; empty where it cannot be read."""
    where: Mapping[str, JSON]
    """Of its node; empty where it cannot be read."""
    problem: str = ""
    """Why it cannot be read; empty if it can."""


class Store:
    """All artefacts under one root folder, which is created with the first one.

    Several processes may use one root in parallel. Opening it deletes what killed ones left.

    Raises:
        StoreError: the root is not a folder, or is a store of another format.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        """The folder that holds everything."""
        if root.exists() and not root.is_dir():
            raise StoreError(f"the store {root} is not a folder: choose another")
        check_format(root)
        self._locks = Locks(root / ".locks")
        self._aside = Aside(root / ".aside", self._locks)
        if os.access(root, os.W_OK):
            self.sweep()

    def sweep(self) -> None:
        """Delete what killed processes have left unfinished."""
        self._aside.sweep()

    @property
    def locks(self) -> bool:
        """Whether each artefact is made once; False once the filesystem has reported no locks.

        Without locks, two processes may make the same artefact; the first to finish is kept.
        """
        return self._locks.work

    def has(self, artefact: Node | str) -> bool:
        """Whether the artefact is in the store, by node or id. For many, use `ids`.

        Raises:
            StoreError: the text is no id.
        """
        try:
            return stat.S_ISDIR(self.path(artefact).lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def ids(self) -> set[str]:
        """The ids of all artefacts in the store, in one listing.

        Raises:
            StoreError: the root cannot be listed.
        """
        return ids_in(self.root)

    def path(self, artefact: Node | str) -> Path:
        """The path of the artefact, existing or not, by node or id.

        Raises:
            StoreError: the text is no id.
        """
        return self.root / _id(artefact)

    def open(self, artefact: Node | str) -> Artefact:
        """An artefact by node or id. Its files are checked when they are requested.

        Raises:
            StoreError: it is missing, or its record has changed.
        """
        if not self.has(artefact):
            raise StoreError(f"the store {self.root} has no {_id(artefact)}")
        return read_artefact(self.path(artefact))

    def node(self, artefact_id: str) -> Node:
        """The node of an artefact.

        Raises:
            StoreError: as in `open`.
        """
        return self.open(artefact_id).node

    @contextmanager
    def create(self, node: Node, made: Mapping[str, JSON] | None = None) -> Iterator[Path]:
        """A folder for the artefact's files; when the block ends, it enters the store.

        `made` is the record of what made the artefact, read when the block ends. If the block
        raises, nothing is kept. If another process has finished the same artefact in the meantime,
        that one is kept.

        Raises:
            StoreError: the disk is full, the store cannot be written or has another format, or the
                block wrote a link or a file named like the store's own.
        """
        with self._aside.making(node.id) as aside:
            try:
                yield aside
                self._publish(aside, node, made or {})
            except Exception as error:
                full = disk_is_full(error)
                if full:
                    raise StoreError(
                        f"no room in {self.root} for {node.id} ({full}): "
                        "nothing was kept; free space or choose another folder"
                    ) from error
                raise

    @contextmanager
    def lock(self, artefact: Node | str) -> Iterator[None]:
        """Wait until no other process holds this artefact's lock, then hold it for the block.

        It keeps two processes from making the same artefact, and ends with the process. Check `has`
        again once it is held. See `locks` for filesystems without locks.

        Raises:
            StoreError: the text is no id, or the store cannot be written.
        """
        with self._locks.hold(_id(artefact)):
            yield

    def being_made(self, artefact: Node | str) -> bool:
        """Whether a process is making the artefact, judging by heartbeats of the last two minutes.

        This works on filesystems without locks, too. Making what another process makes does no
        harm.

        Raises:
            StoreError: the text is no id.
        """
        return self._aside.has_maker(_id(artefact))

    def list(self) -> tuple[Summary, ...]:
        """Every artefact, oldest first; one that cannot be read has a `problem`."""
        found = (self._summary(name) for name in self.ids())
        return tuple(sorted(found, key=lambda summary: (summary.created, summary.id)))

    def find(self, prefix: str) -> str:
        """The one id that starts with `prefix`.

        Raises:
            StoreError: no id does, or several do.
        """
        ids = sorted(self.ids())
        found = [name for name in ids if name.startswith(prefix)]
        if not found:
            known = f"it has {some(ids)}" if ids else "it is empty"
            raise StoreError(f"nothing in the store {self.root} begins with {prefix!r}: {known}")
        if len(found) > 1:
            raise StoreError(f"{prefix!r} is ambiguous: {some(found)}")
        return found[0]

    def remove(self, artefact_id: str, *, dependants: bool = False) -> tuple[str, ...]:
        """Remove an artefact; return the ids of all removed, with its own last.

        Args:
            artefact_id: the artefact's full id.
            dependants: also remove what was made from it, and from that.

        Raises:
            StoreError: it is missing, others were made from it, or it cannot be removed.
        """
        if not self.has(artefact_id):
            raise StoreError(f"the store {self.root} has no {artefact_id}")
        made_from = self._made_from()
        children = sorted(made_from.get(artefact_id, ()))
        if children and not dependants:
            raise StoreError(
                f"{some(children)} were made from {artefact_id}: "
                "remove them first, or all together with --dependants"
            )
        # Children first: if interrupted, no artefact is left without its parents.
        doomed = _children_first(artefact_id, made_from)
        for each in doomed:
            try:
                self._aside.remove(self.path(each))
            except FileNotFoundError:
                continue  # another process was faster
            except OSError as error:
                raise StoreError(f"cannot remove {each}: {error.strerror}") from error
        return doomed

    def _made_from(self) -> dict[str, set[str]]:
        """The children of each artefact, except those that cannot be read."""
        made_from: dict[str, set[str]] = {}
        for name in self.ids():
            try:
                parents = self.node(name).parents.values()
            except StoreError:
                continue
            for parent in parents:
                made_from.setdefault(parent, set()).add(name)
        return made_from

    def _summary(self, artefact_id: str) -> Summary:
        folder = self.path(artefact_id)
        kind = artefact_id.rpartition("-")[0]
        try:
            artefact = read_artefact(folder)
            own = (folder / RECORD).stat().st_size
        except (StoreError, OSError) as error:
            return Summary(
                id=artefact_id,
                kind=kind,
                created="",
                size_bytes=sum(_size(path) for path in folder.rglob("*")),
                label="",
                params={},
                parents={},
                where={},
                problem=str(error),
            )
        return Summary(
            id=artefact_id,
            kind=kind,
            created=artefact.created,
            size_bytes=own + sum(content.bytes for content in artefact.contents.values()),
            label=artefact.label,
            params=artefact.node.params,
            parents=artefact.node.parents,
            where=artefact.node.where,
        )

    def _publish(self, aside: Path, node: Node, made: Mapping[str, JSON]) -> None:
        """Write the record of a folder of files and move it into its place."""
        path = self.path(node)
        try:
            seal(aside, node, made)
            mark_format(self.root)
            publish(aside, path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error


def _id(artefact: Node | str) -> str:
    if isinstance(artefact, Node):
        return artefact.id
    if not is_id(artefact):
        raise StoreError(f"{artefact!r} is no artefact's id, such as train-0123456789abcdef")
    return artefact


def _size(path: Path) -> int:
    return path.lstat().st_size if path.is_file() else 0


def _children_first(artefact_id: str, made_from: Mapping[str, set[str]]) -> tuple[str, ...]:
    """An artefact after all that was made from it, directly or not."""
    family: dict[str, list[str]] = {}
    waiting = [artefact_id]
    while waiting:
        name = waiting.pop()
        if name not in family:
            family[name] = sorted(made_from.get(name, ()))
            waiting.extend(family[name])
    return tuple(TopologicalSorter(family).static_order())
