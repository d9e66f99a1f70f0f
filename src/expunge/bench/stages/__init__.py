"""The stages of a run, one a file: each a pure function of its spec and its parents' artefacts."""

from expunge.bench.stages.measure import measure_stage
from expunge.bench.stages.model import load_model
from expunge.bench.stages.predict import predict_stage
from expunge.bench.stages.prune import prune_stage
from expunge.bench.stages.stage import Stage, ensure
from expunge.bench.stages.train import Origin, origin_of, train_stage
from expunge.bench.stages.unlearn import unlearn_stage

__all__ = [
    "Origin",
    "Stage",
    "ensure",
    "load_model",
    "measure_stage",
    "origin_of",
    "predict_stage",
    "prune_stage",
    "train_stage",
    "unlearn_stage",
]
