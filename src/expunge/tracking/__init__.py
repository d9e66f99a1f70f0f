"""Trackers: the course of training and the measures, written for TensorBoard or Weights & Biases.

A sink is given whole runs, after what they tell of was made, so that it can change nothing of it.
"""

from __future__ import annotations

from expunge.tracking.sink import Run, Sink
from expunge.tracking.sinks import SINKS, open_sink

__all__ = ["SINKS", "Run", "Sink", "open_sink"]
