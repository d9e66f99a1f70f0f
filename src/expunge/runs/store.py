"""The store: one folder an artefact, named by its node's id, whole or not there.

An artefact is written aside and moved into its place when everything is on the disk. That alone
keeps it whole; locks, where the filesystem has them, keep two processes from making the same thing.
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
    """An artefact in a list: its record is read, its files are not."""

    id: str
    kind: str
    created: str
    """When it was finished: ISO 8601, UTC; empty where it cannot be read."""
    size_bytes: int
    label: str
    """What people call it, where its maker wrote that down."""
    params: Mapping[str, JSON]
    """Of its node; empty where it cannot be read."""
    parents: Mapping[str, str]
    """Of its node; empty where it cannot be read."""
    problem: str = ""
    """Why it cannot be read; empty where it can."""


class Store:
    """All artefacts under one root folder, which is made when the first one is.

    Several processes may use one root at the same time. Opening it sweeps what killed ones left.

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
            self._aside.sweep()

    @property
    def locks(self) -> bool:
        """Whether each artefact is made once; False when the filesystem has said it has no locks.

        Without them, two processes may make the same artefact; the first to finish is kept.
        """
        return self._locks.work

    def has(self, artefact: Node | str) -> bool:
        """Whether the artefact is there, by node or id. For many, take `ids`.

        Raises:
            StoreError: the text is no id.
        """
        try:
            return stat.S_ISDIR(self.path(artefact).lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def ids(self) -> set[str]:
        """The ids of all artefacts that are there, in one listing.

        Raises:
            StoreError: the root cannot be listed.
        """
        return ids_in(self.root)

    def path(self, artefact: Node | str) -> Path:
        """Where the artefact is, or would be, by node or id.

        Raises:
            StoreError: the text is no id.
        """
        return self.root / _id(artefact)

    def open(self, artefact: Node | str) -> Artefact:
        """An artefact by node or id. Its files are checked when they are asked for.

        Raises:
            StoreError: it is not there, or its record is not what it was.
        """
        if not self.has(artefact):
            raise StoreError(f"the store {self.root} has no {_id(artefact)}")
        return read_artefact(self.path(artefact))

    def node(self, artefact_id: str) -> Node:
        """What an artefact was made from.

        Raises:
            StoreError: as `open`.
        """
        return self.open(artefact_id).node

    @contextmanager
    def create(self, node: Node, made: Mapping[str, JSON] | None = None) -> Iterator[Path]:
        """A folder to write the artefact's files into; when the block ends, it is in the store.

        `made` says what made the artefact, as it stands when the block ends. When the block
        raises, nothing is kept. When another process has finished the same artefact in the
        meantime, theirs is kept.

        Raises:
            StoreError: the disk is full, the store cannot be written or is of another format, or
                the block wrote a link or a file named as the store's own.
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

        It keeps two processes from making the same thing. It ends with the process, however that
        ends. Look with `has` again once it is held. See `locks` for filesystems without any.

        Raises:
            StoreError: the text is no id, or the store cannot be written.
        """
        with self._locks.hold(_id(artefact)):
            yield

    def being_made(self, artefact: Node | str) -> bool:
        """Whether somebody makes an artefact now, or did two minutes ago and was not seen to end.

        It goes by signs of life, on filesystems without locks as well. To make what somebody else
        makes does no harm.

        Raises:
            StoreError: the text is no id.
        """
        return self._aside.has_maker(_id(artefact))

    def list(self) -> tuple[Summary, ...]:
        """Every artefact, oldest first; one that cannot be read says so in `problem`."""
        found = (self._summary(name) for name in self.ids())
        return tuple(sorted(found, key=lambda summary: (summary.created, summary.id)))

    def find(self, prefix: str) -> str:
        """The one id that begins with `prefix`.

        Raises:
            StoreError: none does, or several.
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
        """Remove an artefact; the ids of all that was removed, itself the last.

        Args:
            artefact_id: the artefact's full id.
            dependants: also remove what was made from it, and from that.

        Raises:
            StoreError: it is not there, others were made from it, or it cannot be removed.
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
        # Children first: whoever stops this half-way leaves no artefact without its parents.
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
        """What was made from each artefact; nothing is known of what cannot be read."""
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
        )

    def _publish(self, aside: Path, node: Node, made: Mapping[str, JSON]) -> None:
        """Give a folder of files its record and move it into its place."""
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
