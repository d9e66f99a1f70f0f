"""The store: one folder an artefact, named by its spec's id, whole or not there.

An artefact is written in a folder beside its place and renamed into it when everything is on the
disk. Whoever is killed leaves only such a folder, which the next process to open the store sweeps.
What is alive is told by locks of the operating system, which end with the process that holds them.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from expunge.errors import StoreError, some
from expunge.runs.files import JSON, disk_is_full, sync
from expunge.runs.record import check_files, files_in, read_record, seal
from expunge.runs.spec import Spec, is_id

_LOCKS = ".locks"
_ASIDE = ".tmp-"


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """What a stage made, checked to be whole."""

    spec: Spec
    """What it was made from."""
    folder: Path
    """Where its files lie; they are never changed."""
    created: str
    """When it was finished: ISO 8601, UTC."""
    files: tuple[str, ...]
    """Its files, relative to the folder, without the store's own two."""

    @property
    def id(self) -> str:
        """The id of the spec."""
        return self.spec.id

    def file(self, name: str) -> Path:
        """Where one of its files lies.

        Raises:
            StoreError: it has no such file.
        """
        if name not in self.files:
            raise StoreError(f"{self.id} has no file {name!r}: it has {some(self.files)}")
        return self.folder / name


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An artefact in a list: read, but not checked to be whole."""

    id: str
    kind: str
    created: str
    """When it was finished: ISO 8601, UTC; empty where it cannot be read."""
    size_bytes: int
    settings: Mapping[str, JSON]
    """Of its spec; empty where it cannot be read."""
    parents: Mapping[str, str]
    """Of its spec; empty where it cannot be read."""
    problem: str = ""
    """Why it cannot be read; empty where it can."""


class Store:
    """All artefacts under one root folder, which is made when the first one is.

    Several processes may use one root at the same time. Opening it sweeps what killed ones left.

    Raises:
        StoreError: the root is not a folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        """The folder that holds everything."""
        if root.exists() and not root.is_dir():
            raise StoreError(f"the store {root} is not a folder: choose another")
        self._sweep()

    def has(self, artefact: Spec | str) -> bool:
        """Whether the artefact is there, by spec or id.

        Raises:
            StoreError: the text is no id.
        """
        folder = self.path(_id(artefact))
        return folder.is_dir() and not folder.is_symlink()

    def path(self, artefact_id: str) -> Path:
        """Where the artefact of this id is, or would be.

        Raises:
            StoreError: the text is no id.
        """
        return self.root / _id(artefact_id)

    def open(self, artefact: Spec | str) -> Artefact:
        """An artefact by spec or id, after its files are compared with their digests.

        Raises:
            StoreError: it is not there, or is not what it was.
        """
        artefact_id = _id(artefact)
        folder = self.path(artefact_id)
        if not self.has(artefact_id):
            raise StoreError(f"the store {self.root} has no {artefact_id}")
        record = read_record(folder)
        check_files(folder, record)
        return Artefact(
            spec=record.spec, folder=folder, created=record.created, files=tuple(record.files)
        )

    @contextmanager
    def create(self, spec: Spec) -> Iterator[Path]:
        """A folder to write the artefact's files into; when the block ends, it is in the store.

        When the block raises, nothing is kept. When another process has finished the same artefact
        in the meantime, theirs is kept.

        Raises:
            StoreError: the disk is full, the store cannot be written, or the block wrote a link or
                a file named as one of the store's own.
        """
        with self._aside(spec.id) as aside:
            try:
                yield aside
                seal(aside, spec)
                for path in (aside, *aside.rglob("*")):
                    sync(path)
            except Exception as error:
                full = disk_is_full(error)
                if full:
                    raise StoreError(
                        f"no room in {self.root} for {spec.id} ({full}): "
                        "nothing was kept; free space or choose another folder"
                    ) from error
                raise
            self._publish(aside, spec.id)

    @contextmanager
    def lock(self, artefact: Spec | str) -> Iterator[None]:
        """Wait until no other process holds this artefact's lock, then hold it for the block.

        It keeps two processes from computing the same thing. It ends with the process, however that
        ends. Look with `has` again once it is held.

        Raises:
            StoreError: the text is no id, or the filesystem has no locks.
        """
        with self._locked(_id(artefact), wait=True):
            yield

    def list(self) -> tuple[Summary, ...]:
        """Every artefact, oldest first; one that cannot be read says so in `problem`."""
        found = (self._summary(name) for name in self._ids())
        return tuple(sorted(found, key=lambda summary: (summary.created, summary.id)))

    def find(self, prefix: str) -> str:
        """The one id that begins with `prefix`.

        Raises:
            StoreError: none does, or several.
        """
        ids = self._ids()
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
        made_from: dict[str, set[str]] = {}
        for summary in self.list():
            for parent in summary.parents.values():
                made_from.setdefault(parent, set()).add(summary.id)
        children = sorted(made_from.get(artefact_id, ()))
        if children and not dependants:
            raise StoreError(
                f"{some(children)} were made from {artefact_id}: "
                "remove them first, or all together with --dependants"
            )
        # Children first: whoever stops this half-way leaves no artefact without its parents.
        doomed: list[str] = []
        _children_first(artefact_id, made_from, doomed)
        for each in doomed:
            self._discard(each)
        return tuple(doomed)

    def _ids(self) -> tuple[str, ...]:
        if not self.root.is_dir():
            return ()
        names = (path.name for path in self.root.iterdir() if is_id(path.name))
        return tuple(sorted(name for name in names if self.has(name)))

    def _summary(self, artefact_id: str) -> Summary:
        folder = self.path(artefact_id)
        size = sum(path.stat().st_size for path in files_in(folder).values())
        kind = artefact_id.rpartition("-")[0]
        try:
            record = read_record(folder)
        except StoreError as error:
            return Summary(
                id=artefact_id,
                kind=kind,
                created="",
                size_bytes=size,
                settings={},
                parents={},
                problem=str(error),
            )
        return Summary(
            id=artefact_id,
            kind=kind,
            created=record.created,
            size_bytes=size,
            settings=record.spec.settings,
            parents=record.spec.parents,
        )

    def _publish(self, aside: Path, artefact_id: str) -> None:
        """Move a finished folder into its place, unless another is there already."""
        try:
            aside.rename(self.path(artefact_id))
            sync(self.root)
        except OSError as error:
            if not self.has(artefact_id):
                raise StoreError(
                    f"cannot write {self.path(artefact_id)}: {error.strerror}"
                ) from error

    def _discard(self, artefact_id: str) -> None:
        """Take an artefact out of its place at once, then delete it at leisure."""
        aside = self.root / _aside_name(artefact_id)
        try:
            self.path(artefact_id).rename(aside)
            shutil.rmtree(aside)
        except FileNotFoundError:
            return  # another process was faster
        except OSError as error:
            raise StoreError(f"cannot remove {artefact_id}: {error.strerror}") from error

    @contextmanager
    def _aside(self, artefact_id: str) -> Iterator[Path]:
        """A folder beside the artefacts that does not outlive the block, nor the process."""
        name = _aside_name(artefact_id)
        # The lock comes before the folder: a folder whose lock is free has no process any more.
        with self._locked(name, wait=False):
            aside = self.root / name
            try:
                try:
                    aside.mkdir()
                except OSError as error:
                    raise StoreError(f"cannot write in {self.root}: {error.strerror}") from error
                yield aside
            finally:
                shutil.rmtree(aside, ignore_errors=True)
                (self.root / _LOCKS / name).unlink(missing_ok=True)

    @contextmanager
    def _locked(self, name: str, *, wait: bool) -> Iterator[None]:
        """Hold the lock of this name; BlockingIOError where it is taken and `wait` is false."""
        try:
            path = self.root / _LOCKS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(f"cannot write in {self.root}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise
            except OSError as error:
                raise StoreError(f"cannot lock in {self.root}: {error.strerror}") from error
            yield
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        """Delete the folders that killed processes left behind."""
        if not self.root.is_dir() or not os.access(self.root, os.W_OK):
            return
        for left in self.root.glob(f"{_ASIDE}*"):
            try:
                with self._locked(left.name, wait=False):
                    shutil.rmtree(left, ignore_errors=True)
                    (self.root / _LOCKS / left.name).unlink(missing_ok=True)
            except (BlockingIOError, StoreError):
                continue  # its process is alive, or it is not ours to delete


def _id(artefact: Spec | str) -> str:
    if isinstance(artefact, Spec):
        return artefact.id
    if not is_id(artefact):
        raise StoreError(f"{artefact!r} is no artefact's id, such as train-0123456789abcdef")
    return artefact


def _children_first(artefact_id: str, made_from: Mapping[str, set[str]], into: list[str]) -> None:
    """Add to `into` all that was made from an artefact, directly or not, and then itself."""
    for child in sorted(made_from.get(artefact_id, ())):
        if child not in into:
            _children_first(child, made_from, into)
    into.append(artefact_id)


def _aside_name(artefact_id: str) -> str:
    return f"{_ASIDE}{artefact_id}-{os.getpid()}-{secrets.token_hex(4)}"
