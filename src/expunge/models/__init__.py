"""Networks, and `build()`."""

from expunge.models.build import MODELS, Builder, build, is_own
from expunge.models.check import check_outputs
from expunge.models.huggingface import configuration_digest
from expunge.models.normalise import Normalise
from expunge.models.recipes import recipe_for
from expunge.models.resnet import resnet8, resnet18, resnet20s, resnet50
from expunge.models.spec import ModelSpec, Stem
from expunge.models.swin import swin_t
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
    "configuration_digest",
    "is_own",
    "load_state",
    "load_weights",
    "read_tensors",
    "recipe_for",
    "resnet8",
    "resnet18",
    "resnet20s",
    "resnet50",
    "save_weights",
    "swin_t",
    "vgg16_bn",
]
