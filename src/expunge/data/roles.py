"""Which split of a source is for training, testing and validation."""

from collections.abc import Sequence

from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError, unknown

_TEST_NAMES = ("test", "validation", "valid", "val")


def choose_splits(names: Sequence[str], spec: DataSpec) -> dict[Role, str]:
    """Which split is `train`, `test` and `validation`; the last two only if present.

    Raises:
        DataError: a requested split is missing, or no split can be used for training.
    """
    roles: dict[Role, str] = {}
    every: tuple[Role, ...] = ("train", "test", "validation")
    for role in every:
        asked = getattr(spec, f"{role}_split")
        if asked is not None:
            if asked not in names:
                raise DataError(f"{spec.source}: {unknown('split', asked, names)}")
            roles[role] = asked
    if "train" not in roles:
        if "train" not in names and len(names) > 1:
            raise DataError(
                f"{spec.source} has no split 'train': pass train_split, one of {', '.join(names)}"
            )
        roles["train"] = "train" if "train" in names else names[0]
    if "test" not in roles:
        free = [name for name in _TEST_NAMES if name in names and name not in roles.values()]
        if free:
            roles["test"] = free[0]
    if len(set(roles.values())) < len(roles):
        listed = ", ".join(f"{role} {name!r}" for role, name in sorted(roles.items()))
        raise ConfigError(f"train_split, test_split and validation_split must differ, got {listed}")
    return roles
