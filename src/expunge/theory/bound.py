"""The bound of the theorem, and a check of its assumptions about training."""

from __future__ import annotations

from expunge.errors import ConfigError
from expunge.settings import Training, check_range


def unlearning_error_bound(lr: float, steps: int, moved: float, sigma: float) -> float:
    """η² t ‖m ⊙ (θ_t − θ_0)‖₂ σ(m): the bound on the unlearning error e(m), up to a constant.

    "Model Sparsity Can Simplify Machine Unlearning" (Jia et al., NeurIPS 2023), section 3. The
    theorem leaves out a constant, so the value shows how e(m) changes, but not how large it is.

    Args:
        lr: the learning rate η.
        steps: the number of SGD steps t.
        moved: ‖m ⊙ (θ_t − θ_0)‖₂.
        sigma: σ(m), the largest singular value of the Hessian over the unmasked weights.

    Raises:
        ConfigError: a value is negative or not finite.
    """
    for name, value in (("lr", lr), ("steps", steps), ("moved", moved), ("sigma", sigma)):
        check_range(name, value, 0, None)
    return lr**2 * steps * moved * sigma


def steps_of(training: Training, samples: int) -> int:
    """The number of SGD steps that `training` takes over `samples` samples."""
    from expunge.training.batches import batch_count

    return training.epochs * batch_count(samples, training.batch_size)


def departures_from_theorem(training: Training) -> list[str]:
    """The settings that differ from plain SGD with a constant learning rate."""
    departures = []
    if training.optimizer != "sgd":
        departures.append(f'optimizer "{training.optimizer}" instead of "sgd"')
    if training.momentum != 0:
        departures.append(f"momentum {training.momentum:g} instead of 0")
    if training.weight_decay != 0:
        departures.append(f"weight_decay {training.weight_decay:g} instead of 0")
    if training.schedule != "constant":
        departures.append(f'schedule "{training.schedule}" instead of "constant"')
    if training.warmup_epochs != 0:
        departures.append(f"warmup_epochs {training.warmup_epochs:g} instead of 0")
    if training.label_smoothing != 0:
        departures.append(f"label_smoothing {training.label_smoothing:g} instead of 0")
    if training.crop_padding != 0:
        departures.append(f"crop_padding {training.crop_padding} instead of 0")
    if training.flip:
        departures.append("flip true instead of false")
    return departures


def check_plain_sgd(training: Training) -> None:
    """Refuse training that the theorem does not cover.

    Raises:
        ConfigError: lists every setting that differs, and its required value.
    """
    departures = departures_from_theorem(training)
    if departures:
        raise ConfigError(
            "the theorem is about plain SGD with a constant learning rate; training has "
            + ", ".join(departures)
        )
