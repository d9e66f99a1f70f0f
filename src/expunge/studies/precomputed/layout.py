"""Where the logits and margins of many models lie in a folder.

The layout is that of EasyDUB (Rinberg et al. 2025), with unlearned models beside the retrained::

    {margins,logits}/DATA/pretrain/{retain,val}/NETWORK/id_0_epoch_23.npy    all training samples
    {margins,logits}/DATA/pretrain/forget_2/NETWORK/...
    {margins,logits}/DATA/oracle/forget_2/{retain,forget,val}/NETWORK/...
    {margins,logits}/DATA/METHOD/forget_2/{retain,forget,val}/NETWORK/...
    forget_sets/DATA/forget_set_2.npy
    labels/DATA/{train,val}.npy

The last line is not EasyDUB's, which leaves labels to the data set. Files may also be `.pt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from expunge.errors import DataError, some

MARGINS, LOGITS = "margins", "logits"
ORIGINAL, RETRAINED = "pretrain", "oracle"
"""The folders of the models before unlearning, and of those retrained without a forget set."""
FORGET, RETAIN, VALIDATION = "forget", "retain", "val"
ENDINGS = (".npy", ".pt")
_FILE = re.compile(r"id_(\d+)(?:_epoch_(\d+))?")
_FORGET_SET = re.compile(r"forget_(.+)")
_OTHERS = ("forget_sets", "labels")


@dataclass(frozen=True, order=True)
class Place:
    """Whose outputs on which samples."""

    data: str
    network: str
    role: str
    """`pretrain`, `oracle` or the name of an unlearning method."""
    forget_set: str
    """Empty for the models before unlearning, on what does not depend on it."""
    population: str
    """`forget`, `retain` or `val`; of models before unlearning, `retain` is all of training."""

    def __str__(self) -> str:
        """As in messages."""
        parts = (self.data, self.role, self.forget_set, self.population, self.network)
        return "/".join(part for part in parts if part)


@dataclass
class Layout:
    """The files of a folder."""

    root: Path
    files: dict[str, dict[Place, dict[int, Path]]] = field(
        default_factory=lambda: {MARGINS: {}, LOGITS: {}}
    )
    """By `margins` or `logits`, place and number of the model."""
    left_out: list[str] = field(default_factory=list)
    """What lies there and is not read, each with the reason."""

    def models(self, place: Place) -> set[int]:
        """The numbers of the models that have any outputs at a place."""
        return {*self.files[MARGINS].get(place, {}), *self.files[LOGITS].get(place, {})}

    def places(self) -> set[Place]:
        """Every place that has files."""
        return {*self.files[MARGINS], *self.files[LOGITS]}

    def other(self, folder: str, *names: str) -> Path | None:
        """A file of forget sets or labels, by its folder and its name without ending."""
        start = self.root.joinpath(folder, *names)
        paths = (start.with_name(start.name + ending) for ending in ENDINGS)
        return next((path for path in paths if path.is_file()), None)


def layout_of(root: Path) -> Layout:
    """What lies in a folder, by its names alone.

    Raises:
        DataError: it is not a folder, or none of its files is in the layout.
    """
    if not root.is_dir():
        raise DataError(f"expected a folder of logits or margins, got {root}")
    found = Layout(root)
    strange: list[str] = []
    older: list[str] = []
    for kind in (MARGINS, LOGITS):
        for path in sorted(each for each in (root / kind).rglob("*") if each.is_file()):
            parts = path.relative_to(root / kind).parts
            place, name = _place(parts[:-1]), _FILE.fullmatch(path.stem)
            if place is None or name is None or path.suffix not in ENDINGS:
                strange.append("/".join((kind, *parts)))
                continue
            there = found.files[kind].setdefault(place, {})
            model = int(name[1])
            if model in there:
                older += [_later(there, model, path)]
            else:
                there[model] = path
    if not found.places():
        raise DataError(
            f"{root} holds no logits or margins: expected files such as "
            "margins/cifar10/oracle/forget_1/val/resnet9/id_0_epoch_23.npy"
            + (f", got {some(strange, 3)}" if strange else "")
        )
    found.left_out += _not_read(root)
    if older:
        found.left_out.append(f"{len(older)} files of an earlier epoch or twice: {some(older, 3)}")
    if strange:
        found.left_out.append(f"{len(strange)} files not in the layout: {some(strange, 3)}")
    return found


def _place(folders: tuple[str, ...]) -> Place | None:
    """The place that the folders below `margins` or `logits` name; None if they name none."""
    if len(folders) == 4 and folders[1] == ORIGINAL:
        data, role, samples, network = folders
        if samples in (RETAIN, VALIDATION):
            return Place(data, network, role, "", samples)
        if _FORGET_SET.fullmatch(samples):
            return Place(data, network, role, samples, FORGET)
    if len(folders) == 5 and folders[1] != ORIGINAL and _FORGET_SET.fullmatch(folders[2]):
        data, role, forget_set, samples, network = folders
        if samples in (RETAIN, FORGET, VALIDATION):
            return Place(data, network, role, forget_set, samples)
    return None


def _later(there: dict[int, Path], model: int, path: Path) -> str:
    """Keep the later of two files of a model; the name of the other."""
    one, other = sorted((there[model], path), key=_epoch)
    there[model] = other
    return one.name


def _epoch(path: Path) -> tuple[int, str]:
    found = _FILE.fullmatch(path.stem)
    return (int(found[2]) if found and found[2] else -1, path.name)


def _not_read(root: Path) -> Iterator[str]:
    others = sorted(
        each.name
        for each in root.iterdir()
        if each.name not in (MARGINS, LOGITS, *_OTHERS) and not each.name.startswith(".")
    )
    if others:
        yield f"{some(others, 5)}: neither logits nor margins"
