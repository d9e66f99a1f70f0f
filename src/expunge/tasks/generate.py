"""Generation: a class-conditional diffusion model, trained to tell the noise in an image."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError, DataError, ModelError, line_of
from expunge.settings import check_range
from expunge.tasks.task import Task

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from expunge.batch import Batch
    from expunge.settings import Training

NOISY, STEP, CONDITION = "noisy", "step", "condition"
"""A network's inputs: noisy images `(B, C, H, W)` in about -1..1, the step of the noise and the
class, int64 `(B,)`."""


@dataclass(frozen=True, kw_only=True)
class Generate:
    """Class-conditional denoising diffusion; outputs and targets are noise `(B, C, H, W)`.

    A step t of T is drawn for every image x_0, with noise e; the network gets x_t = sqrt(a_t) x_0 +
    sqrt(1 - a_t) e, t and the class, and should give e. The a_t fall on a cosine curve. Source: Ho
    et al. 2020, equation 14; Nichol and Dhariwal 2021, equation 17.

    Raises:
        ConfigError: there are fewer than two steps.
    """

    steps: int = 1000
    """Steps T of the noise."""

    name = "generate"
    version = 1
    classifies = False

    def __post_init__(self) -> None:
        check_range("steps", self.steps, 2, None)

    def scheduler(self, name: str, **settings: Any) -> Any:
        """A scheduler of the library diffusers with this task's noise.

        Raises:
            ModelError: the library is not installed.
        """
        made = getattr(diffusers_library("the task generate"), name)
        return made(num_train_timesteps=self.steps, beta_schedule="squaredcos_cap_v2", **settings)

    def trained_by(self, training: Training) -> Generate:
        """The same task.

        Raises:
            ConfigError: the training smooths labels.
        """
        if training.label_smoothing:
            raise ConfigError(
                "label smoothing is for classification: leave label_smoothing at 0, got "
                f"{training.label_smoothing}"
            )
        return self

    def output_shape(self, shape: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
        """That of an image."""
        return shape

    def inputs(self, batch: Batch) -> Batch:
        """Images, uint8 or float32 in 0-1, as float32 in -1..1, channels-last."""
        import torch

        from expunge.batch import map_batch

        def given(stored: Tensor) -> Tensor:
            scale = 255 if stored.dtype == torch.uint8 else 1
            found = stored.to(torch.float32, memory_format=torch.channels_last)
            return found * (2 / scale) - 1

        return map_batch(given, batch)

    def draw(
        self, count: int, shape: tuple[int, ...], generator: Generator
    ) -> Mapping[str, Tensor]:
        """The noise of every image, standard normal, and its step, uniform in 0..T-1."""
        import torch

        device = generator.device
        return {
            "noise": torch.randn((count, *shape), generator=generator, device=device),
            "step": torch.randint(self.steps, (count,), generator=generator, device=device),
        }

    def example(
        self, batch: Batch, labels: Tensor, drawn: Mapping[str, Tensor]
    ) -> tuple[Batch, Tensor]:
        """The noisy images with their steps and classes, and the noise."""
        images = self.inputs(batch)
        noisy = _noising(self).add_noise(images, drawn["noise"], drawn["step"])
        return {NOISY: noisy, STEP: drawn["step"], CONDITION: labels}, drawn["noise"]

    def targets_as(
        self, labels: Tensor, inputs: Batch, answer: Callable[[Batch], Tensor]
    ) -> Tensor:
        """What `answer` gives for the same noisy images if asked for other classes.

        Raises:
            DataError: `inputs` are not the noisy images with their steps and classes.
        """
        if not isinstance(inputs, dict):
            raise DataError(
                f"expected a dict with {NOISY}, {STEP} and {CONDITION}, as `example` gives it, got "
                f"{type(inputs).__name__}"
            )
        return answer({**inputs, CONDITION: labels})

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error of every image's noise, `(B,)`."""
        return (outputs - targets).square().flatten(1).mean(1)

    def divergence(self, outputs: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(teacher ‖ network) per pixel, `(B,)`, of normal distributions around the outputs.

        Their standard deviation is the temperature.
        """
        return self.loss(outputs, teacher) / (2 * temperature**2)

    def outputs_to_record(self, outputs: Tensor) -> Tensor:
        """The noise, float32."""
        return outputs.float()

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Refused.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a diffusion model has no probabilities of classes")

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """Refused.

        Raises:
            ConfigError: always.
        """
        return self.probabilities(outputs)

    def cotangents(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """2 (outputs - targets) / n, for n numbers per image."""
        return 2 * (outputs - targets).detach() / outputs[0].numel()

    def gauss_newton(self, outputs: Tensor, vector: Tensor) -> Tensor:
        """2 vector / n, for n numbers per image."""
        return 2 * vector / outputs[0].numel()


@lru_cache
def _noising(task: Generate) -> Any:
    """The scheduler that adds noise; making one takes longer than a step of a small network."""
    return task.scheduler("DDPMScheduler")


def diffusers_library(user: str) -> Any:
    """The library diffusers.

    Raises:
        ModelError: it is not installed; names `user` and the extra.
    """
    try:
        return importlib.import_module("diffusers")
    except ImportError as error:
        raise ModelError(
            f"{user} needs the library `diffusers`: pip install 'expunge[generation]' "
            f"({line_of(error)})"
        ) from error


TASK: Task = Generate()
