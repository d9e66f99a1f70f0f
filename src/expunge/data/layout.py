"""What the folders of images mean: splits and classes.

Folders alone decide, never the names of files. A folder `train` is the training split if it holds
its images in folders, one for each class, or if a metadata file has the labels. Otherwise the
first folder on an image's path names its class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from expunge.data.roles import choose_splits
from expunge.data.sources.source import Role
from expunge.data.spec import OF_SPLITS, DataSpec
from expunge.errors import DataError, some

_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "validation": "validation",
    "valid": "valid",
    "val": "val",
}
"""By folder name in lower case: the split."""


@dataclass(frozen=True)
class Layout:
    """Which images belong to which part, and to which class."""

    parts: Mapping[Role, tuple[str, ...]]
    """Paths of images relative to the source, in order."""
    classes: Mapping[str, str]
    """By path: the folder that names its class, if there is one."""
    notes: tuple[str, ...]


@dataclass
class _Level:
    """The images under one folder, by the first step of their paths below it."""

    base: str
    """The folder's path with a `/` at its end; empty for the source itself."""
    direct: list[str] = field(default_factory=list)
    """Images in the folder itself."""
    folders: dict[str, list[str]] = field(default_factory=dict)
    """By sub-folder: the images below it."""

    def has_folders(self, name: str) -> bool:
        """Whether images below the sub-folder `name` lie in folders of their own."""
        start = len(f"{self.base}{name}/")
        return any("/" in path[start:] for path in self.folders[name])

    def has_direct(self, name: str) -> bool:
        """Whether the sub-folder `name` holds images itself."""
        start = len(f"{self.base}{name}/")
        return any("/" not in path[start:] for path in self.folders[name])


def lay_out(images: Sequence[str], spec: DataSpec, *, labelled: bool) -> Layout:
    """The layout of images, given by their paths; `labelled` says that metadata have labels.

    Raises:
        DataError: a split that the spec names is missing, or none can be used for training.
        ConfigError: one split is to be two parts.
    """
    level = _descend(_level(images, ""))
    notes = [f"the images are in the folder {level.base}"] if level.base else []
    asked = any(getattr(spec, setting) is not None for setting in OF_SPLITS)
    splits = _splits(level, labelled=labelled)
    if not splits and not asked:
        said = [name for name in level.folders if name.lower() in _SPLITS]
        if said and not labelled:
            notes.append(
                f"{some(said)}: read as a class, because its images are not in one folder for each "
                "class; if it is a split, name it with train_split or test_split"
            )
        classes, left_out = _classes(level)
        if labelled or not classes:
            return Layout({"train": tuple(images)}, classes, tuple(notes))
        return Layout({"train": tuple(classes)}, classes, (*notes, *left_out))
    if asked:
        splits = {**{name: name for name in level.folders}, **splits}
    return _of_splits(level, splits, spec, labelled, notes)


def _of_splits(
    level: _Level, splits: Mapping[str, str], spec: DataSpec, labelled: bool, notes: list[str]
) -> Layout:
    """The layout of folders that are splits; `splits` gives the folder of each."""
    chosen = choose_splits(tuple(splits), spec)
    parts: dict[Role, tuple[str, ...]] = {}
    classes: dict[str, str] = {}
    for role, split in chosen.items():
        name = splits[split]
        inner = _level(level.folders[name], f"{level.base}{name}/")
        found, left_out = _classes(inner)
        classes |= found
        parts[role] = tuple(level.folders[name]) if labelled or not found else tuple(found)
        if not labelled and found:
            notes += left_out
    used = {splits[split] for split in chosen.values()}
    for name, paths in level.folders.items():
        if name in used:
            continue
        why = "it is not the train or test split; name it with test_split or validation_split"
        if not labelled and not level.has_folders(name):
            why = "it has no class folders"
        notes.append(f"left out {_count(paths)} in the folder {level.base}{name}: {why}")
    if level.direct:
        notes.append(f"left out {_count(level.direct)} outside the splits: {some(level.direct, 5)}")
    return Layout(parts, classes, tuple(notes))


def _splits(level: _Level, *, labelled: bool) -> dict[str, str]:
    """The folder of each split; empty if the folders are no splits."""
    named = [name for name in level.folders if name.lower() in _SPLITS]
    whole = [name for name in named if labelled or level.has_folders(name)]
    trains = [name for name in whole if _SPLITS[name.lower()] == "train"]
    # A class may be called `train`: then what lies beside it are classes, not splits.
    if not trains and len(whole) < len(level.folders):
        return {}
    if len(whole) < 2 and len(named) < len(level.folders):
        return {}
    splits: dict[str, str] = {}
    for name in whole:
        split = _SPLITS[name.lower()]
        if split in splits:
            raise DataError(
                f"the folders {splits[split]} and {name} are both called {split}: rename one"
            )
        splits[split] = name
    return splits


def _classes(level: _Level) -> tuple[dict[str, str], list[str]]:
    """The class of each image in a sub-folder, in the order of paths, and what to say."""
    classes = {path: name for name, paths in level.folders.items() for path in paths}
    notes = []
    if level.direct and classes:
        notes.append(
            f"left out {_count(level.direct)} outside the class folders: {some(level.direct, 5)}"
        )
    nested = [name for name in level.folders if level.has_folders(name)]
    if nested:
        where = some((f"{level.base}{name}" for name in nested), 5)
        notes.append(f"images in folders inside {where} count as the class of the outer folder")
    return dict(sorted(classes.items())), notes


def _descend(level: _Level) -> _Level:
    """The first level at which there is something to tell apart, below folders on their own."""
    while not level.direct and len(level.folders) == 1:
        (name,) = level.folders
        if level.has_direct(name) or name.lower() in _SPLITS:
            break
        level = _level(level.folders[name], f"{level.base}{name}/")
    return level


def _level(images: Sequence[str], base: str) -> _Level:
    level = _Level(base)
    for path in images:
        first, separator, _ = path[len(base) :].partition("/")
        if separator:
            level.folders.setdefault(first, []).append(path)
        else:
            level.direct.append(path)
    return level


def _count(images: Sequence[str]) -> str:
    return "1 image" if len(images) == 1 else f"{len(images)} images"
