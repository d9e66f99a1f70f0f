"""Classification: one label per sample, softmax and cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from expunge.settings import check_range
from expunge.tasks.task import Task

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from expunge.batch import Batch
    from expunge.settings import Training


@dataclass(frozen=True, kw_only=True)
class Classify:
    """Classification: outputs are logits `(B, classes)`, targets are int64 `(B,)`.

    Raises:
        ConfigError: the label smoothing is outside 0..1.
    """

    label_smoothing: float = 0.0
    """Share of the target spread evenly over the classes, in `loss` and its derivatives."""

    name = "classify"
    version = 1
    classifies = True

    def __post_init__(self) -> None:
        check_range("label_smoothing", self.label_smoothing, 0, 1)

    def trained_by(self, training: Training) -> Classify:
        """The same task with the label smoothing of `training`."""
        return replace(self, label_smoothing=training.label_smoothing)

    def inputs(self, batch: Batch) -> Batch:
        """uint8 converted to float32 in 0-1; everything else as stored.

        Four-dimensional batches are channels-last, the fastest layout for convolutions.
        """
        import torch

        from expunge.batch import map_batch

        def given(stored: Tensor) -> Tensor:
            if stored.dtype == torch.uint8:
                stored = stored.to(torch.float32, memory_format=torch.channels_last).div_(255)
            if stored.ndim == 4:
                return stored.contiguous(memory_format=torch.channels_last)
            return stored

        return map_batch(given, batch)

    def output_shape(self, shape: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
        """One logit per class."""
        return (num_classes,)

    def draw(
        self, count: int, shape: tuple[int, ...], generator: Generator
    ) -> Mapping[str, Tensor]:
        """Nothing."""
        return {}

    def example(
        self, batch: Batch, labels: Tensor, drawn: Mapping[str, Tensor]
    ) -> tuple[Batch, Tensor]:
        """The inputs, and the labels as targets."""
        return self.inputs(batch), labels

    def targets_as(
        self, labels: Tensor, inputs: Batch, answer: Callable[[Batch], Tensor]
    ) -> Tensor:
        """The labels themselves."""
        return labels

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy of every sample, `(B,)`."""
        from torch.nn import functional as F

        return F.cross_entropy(
            outputs, targets, reduction="none", label_smoothing=self.label_smoothing
        )

    def divergence(self, outputs: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(teacher ‖ network) of every sample, `(B,)`: Σ_y q_y (log q_y − log p_y).

        p and q are the softmax of the network's and the teacher's logits over the temperature.
        """
        from torch.nn import functional as F

        log_p = self.log_probabilities(outputs / temperature)
        log_q = self.log_probabilities(teacher / temperature)
        return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(1)

    def outputs_to_record(self, outputs: Tensor) -> Tensor:
        """The logits, float32."""
        return outputs.float()

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The predictions p(y|x) `(B, classes)`, without a graph."""
        return outputs.detach().softmax(1)

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """The logarithms of p(y|x) `(B, classes)`."""
        return outputs.log_softmax(1)

    def cotangents(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The residual p − e_y `(B, classes)`, with e_y smoothed as in the loss."""
        from torch.nn import functional as F

        classes = outputs.shape[1]
        certain = F.one_hot(targets, classes).to(outputs.dtype)
        if self.label_smoothing:
            certain = (1 - self.label_smoothing) * certain + self.label_smoothing / classes
        return self.probabilities(outputs) - certain

    def gauss_newton(self, outputs: Tensor, vector: Tensor) -> Tensor:
        """(diag(p) − ppᵀ) · vector, `(B, classes)`."""
        p = self.probabilities(outputs)
        return p * vector - p * (p * vector).sum(1, keepdim=True)


TASK: Task = Classify()
