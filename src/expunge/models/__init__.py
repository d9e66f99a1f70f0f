"""Networks, and `build()`."""

from expunge.models.build import MODELS, Builder, build
from expunge.models.check import check_outputs
from expunge.models.head import head
from expunge.models.normalise import Normalise
from expunge.models.resnet import resnet8, resnet18, resnet20s, resnet50
from expunge.models.spec import ModelSpec, Stem
from expunge.models.vgg import vgg16_bn
from expunge.models.weights import load_state, load_weights, read_tensors, save_weights

__all__ = [
    "MODELS",
    "Builder",
    "ModelSpec",
    "Normalise",
    "Stem",
    "build",
    "check_outputs",
    "head",
    "load_state",
    "load_weights",
    "read_tensors",
    "resnet8",
    "resnet18",
    "resnet20s",
    "resnet50",
    "save_weights",
    "vgg16_bn",
]
