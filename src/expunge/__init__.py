"""Machine unlearning for trained PyTorch classifiers, with model sparsity as the lever."""

from importlib import import_module

__version__ = "0.1.0"

# Not from `typing`: with `python -m expunge`, a `typing.py` in the working directory would run.
TYPE_CHECKING = False

# Names are imported on first use: `import expunge` and `expunge --help` do not load PyTorch.
_HOME = {
    "Attribution": "expunge.api.results",
    "Cleansed": "expunge.api.cleanse",
    "cleanse": "expunge.api.cleanse",
    "Evaluation": "expunge.api.results",
    "Sparse": "expunge.api.results",
    "Unlearned": "expunge.api.results",
    "attribute": "expunge.api.attribute",
    "evaluate": "expunge.api.evaluate",
    "load": "expunge.api.work",
    "load_model": "expunge.api.work",
    "prune": "expunge.api.work",
    "find_suspects": "expunge.api.suspects",
    "split": "expunge.api.work",
    "train": "expunge.api.work",
    "unlearn": "expunge.api.work",
    "Detector": "expunge.detectors.detector",
    "DETECTORS": "expunge.detectors",
    "Suspects": "expunge.detectors.find",
    "ExpungeError": "expunge.errors",
    "Attributor": "expunge.attribution.attributor",
    "ATTRIBUTORS": "expunge.attribution",
    "Method": "expunge.methods.method",
    "METHODS": "expunge.methods",
    "Edit": "expunge.data.edits.edit",
    "EDITS": "expunge.data.edits",
    "Metric": "expunge.metrics.metric",
    "METRICS": "expunge.metrics",
    "build": "expunge.models.build",
    "at_random": "expunge.scenarios",
    "by_class": "expunge.scenarios",
    "by_ids": "expunge.scenarios",
    "PRUNERS": "expunge.sparsity",
    "Context": "expunge.types",
    "Dataset": "expunge.types",
    "Mask": "expunge.types",
    "Training": "expunge.settings",
    "Samples": "expunge.types",
    "Split": "expunge.types",
}

if TYPE_CHECKING:
    from expunge.api.attribute import attribute
    from expunge.api.cleanse import Cleansed, cleanse
    from expunge.api.evaluate import evaluate
    from expunge.api.results import Attribution, Evaluation, Sparse, Unlearned
    from expunge.api.suspects import find_suspects
    from expunge.api.work import load, load_model, prune, split, train, unlearn
    from expunge.attribution import ATTRIBUTORS
    from expunge.attribution.attributor import Attributor
    from expunge.data.edits import EDITS
    from expunge.data.edits.edit import Edit
    from expunge.detectors import DETECTORS
    from expunge.detectors.detector import Detector
    from expunge.detectors.find import Suspects
    from expunge.errors import ExpungeError
    from expunge.methods import METHODS
    from expunge.methods.method import Method
    from expunge.metrics import METRICS
    from expunge.metrics.metric import Metric
    from expunge.models.build import build
    from expunge.scenarios import at_random, by_class, by_ids
    from expunge.settings import Training
    from expunge.sparsity import PRUNERS
    from expunge.types import Context, Dataset, Mask, Samples, Split

__all__ = [
    "ATTRIBUTORS",
    "DETECTORS",
    "EDITS",
    "METHODS",
    "METRICS",
    "PRUNERS",
    "Attribution",
    "Attributor",
    "Cleansed",
    "Context",
    "Dataset",
    "Detector",
    "Edit",
    "Evaluation",
    "ExpungeError",
    "Mask",
    "Method",
    "Metric",
    "Samples",
    "Sparse",
    "Split",
    "Suspects",
    "Training",
    "Unlearned",
    "__version__",
    "at_random",
    "attribute",
    "build",
    "by_class",
    "by_ids",
    "cleanse",
    "evaluate",
    "find_suspects",
    "load",
    "load_model",
    "prune",
    "split",
    "train",
    "unlearn",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'expunge' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
