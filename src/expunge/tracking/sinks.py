"""The sinks by name, and how they are asked for: `tensorboard:FOLDER`, `wandb:PROJECT`."""

from __future__ import annotations

from collections.abc import Callable

from expunge.errors import ConfigError, line_of, unknown
from expunge.tracking.sink import Sink
from expunge.tracking.tensorboard import TensorBoard
from expunge.tracking.wandb import WeightsAndBiases

SINKS: dict[str, Callable[[str], Sink]] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}
"""By name, which is also that of the package and of the extra."""


def open_sink(asked: str) -> Sink:
    """The sink written as `NAME:PLACE`.

    Raises:
        ConfigError: it is not of this form, or its package is missing.
        StoreError: the place cannot be written to.
    """
    name, separator, place = asked.partition(":")
    if name not in SINKS:
        raise ConfigError(f"--track {asked}: {unknown('tracker', name, SINKS)}")
    if not (separator and place.strip()):
        raise ConfigError(f"--track {asked}: expected tensorboard:FOLDER or wandb:PROJECT")
    try:
        return SINKS[name](place)
    except ImportError as error:
        raise ConfigError(
            f'--track {name} needs its package: pip install "expunge[{name}]" ({line_of(error)})'
        ) from None
