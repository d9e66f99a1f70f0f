"""Which dataset, which of its columns and splits, what is held out, and how it is edited."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from expunge.errors import ConfigError
from expunge.settings import check_range

OF_COLUMNS = ("config", "image_column", "label_column", "id_column")
"""Settings of sources that have columns."""
OF_SPLITS = ("train_split", "test_split", "validation_split")
"""Settings of sources that have splits."""
OF_IMAGES = ("image_size", "channels")
"""Settings of images."""


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """A dataset, how it is divided into training, validation and test samples, and its edits.

    Raises:
        ConfigError: a setting is out of range.
    """

    source: str
    """`digits`, `breast_cancer`, a `.csv` or `.parquet` file, a folder of parquet files or images,
    an `.npz` file, `package.module:callable`, or a Hub id."""
    name: str | None = None
    """The dataset's name in tables; by default from the source."""
    config: str | None = None
    """Configuration of a Hub dataset that has several."""
    image_column: str | None = None
    """Column with the images; by default found by its type or a usual name."""
    label_column: str | None = None
    """Column with the labels; by default found by its type or a usual name."""
    id_column: str | None = None
    """Column with a unique id per sample; by default ids are hashes of the inputs."""
    class_names: tuple[str, ...] | None = None
    """All classes by name, in the order of the network's outputs, separated by commas or, as
    `@FILE`, one a line; by default the classes that occur, sorted."""
    num_classes: int | None = None
    """How many outputs the network has, if the labels are their numbers and some do not occur."""
    only_classes: tuple[str, ...] | None = None
    """Use the samples of these classes only, by name; the network has one output for each, in the
    order of the data's classes."""
    image_size: int | None = None
    """Height and width in pixels: the shorter side is resized, then the centre is cropped."""
    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for RGB; by default RGB if any image has colour."""
    raw_pixels: bool = False
    """Whether images of floats outside 0-1 are what the network takes; otherwise refused."""
    train_split: str | None = None
    """Split to train on; by default `train`, or the only split."""
    test_split: str | None = None
    """Split to test on; by default `test`, `validation`, `valid` or `val`."""
    validation_split: str | None = None
    """Split for validation; by default `validation_fraction` of the training samples."""
    test_fraction: float = 0.2
    """Share of every class to hold out for testing if the source has no test split."""
    validation_fraction: float = 0.0
    """Share of every class of the training samples to hold out for validation."""
    train_limit: int | None = None
    """Train on only this many samples, drawn in proportion from the classes."""
    test_limit: int | None = None
    """Test on only this many samples, drawn in proportion from the classes."""
    groups: str | None = None
    """CSV file with the columns `id` and `group`: the groups of test samples that accuracy by
    group is measured on."""
    labels: tuple[str, ...] | None = None
    """CSV files with the columns `id` and `label`, one after the other: right labels of training
    samples in place of those that were read, after edits."""
    seed: int = 0
    """Seed of what is held out, of the limits and of the edits."""
    # A hash may leave fields out, and a mapping has none.
    edits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    """Edits of the training samples by name, each with its settings; in a recipe
    `[data.edits.NAME]`. They are applied in alphabetical order."""

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise ConfigError("source must name a dataset, got an empty text")
        if self.channels not in (None, 1, 3):
            raise ConfigError(f"channels must be 1 or 3, got {self.channels!r}")
        check_range("seed", self.seed, 0, None)
        if self.class_names is not None:
            _check_names("class_names", self.class_names)
            object.__setattr__(self, "class_names", tuple(self.class_names))
            if self.num_classes is not None:
                raise ConfigError("give class_names or num_classes, not both")
        if self.only_classes is not None:
            _check_names("only_classes", self.only_classes)
            object.__setattr__(self, "only_classes", tuple(self.only_classes))
        for setting in ("num_classes", "image_size", "train_limit", "test_limit"):
            value = getattr(self, setting)
            if value is not None:
                check_range(setting, value, 1, None)
        if not 0 < self.test_fraction < 1:
            raise ConfigError(
                f"test_fraction must be between 0 and 1, both excluded, got {self.test_fraction!r}"
            )
        if not 0 <= self.validation_fraction < 1:
            raise ConfigError(
                f"validation_fraction must be 0 or more and below 1, "
                f"got {self.validation_fraction!r}"
            )
        if self.validation_split is not None and self.validation_fraction:
            raise ConfigError("give validation_split or validation_fraction, not both")
        if not isinstance(self.edits, Mapping):
            raise ConfigError(f"edits must be a table, got {self.edits!r}")
        if self.edits:
            from expunge.data.edits.apply import edit_configs

            edit_configs(self.edits)


def _check_names(setting: str, names: Any) -> None:
    if (
        not isinstance(names, list | tuple)
        or not names
        or not all(isinstance(name, str) and name.strip() for name in names)
    ):
        raise ConfigError(f"{setting} must be a list of names, none of them empty, got {names!r}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{setting} has names twice: {', '.join(twice)}")


def refuse(spec: DataSpec, *settings: str) -> None:
    """Refuse settings that do not apply to the source or its content.

    Raises:
        ConfigError: one of them is given; the message names it.
    """
    given = [each for each in settings if getattr(spec, each) is not None]
    if given:
        raise ConfigError(f"{', '.join(given)} cannot be used with {spec.source!r}: leave it out")
