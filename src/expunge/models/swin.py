"""Swin transformer, tiny (Liu et al. 2021), built with the library `transformers`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from expunge.models.huggingface import transformers
from expunge.models.spec import Stem, scaled

_HEADS = (3, 6, 12, 24)
_HEAD_CHANNELS = 32


@dataclass(frozen=True)
class _Sizes:
    """Pixels on a side of an image and of a patch, and patches on a side of a window."""

    image: int
    patch: int
    window: int


_SIZES: dict[Stem, _Sizes] = {"cifar": _Sizes(32, 2, 4), "imagenet": _Sizes(224, 4, 7)}


def swin_t(
    num_classes: int, *, in_channels: int = 3, stem: Stem = "cifar", width: float = 1.0
) -> nn.Sequential:
    """Swin-T: four stages of 2, 2, 6 and 2 blocks, without stochastic depth.

    Stem `imagenet` is the published one, for 224 pixels: patches of 4, windows of 7. Stem `cifar`
    is for 32 pixels: patches of 2, windows of 4, so that the stages see maps of 16, 8, 4 and 2. The
    last map is smaller than a window, so its stage uses windows as large as the map, as in the
    published code. Images must be at least 25 pixels high and wide, with stem `imagenet` 193.
    `width` scales the channels of every head.

    Raises:
        ModelError: the library is not installed.
    """
    library = transformers("swin_t")
    sizes = _SIZES[stem]
    channels = _HEADS[0] * scaled(_HEAD_CHANNELS, width)

    def backbone(window: int) -> Any:
        config = library.SwinConfig(
            image_size=sizes.image,
            patch_size=sizes.patch,
            num_channels=in_channels,
            embed_dim=channels,
            num_heads=list(_HEADS),
            window_size=window,
            drop_path_rate=0.0,
            # Windows are small: fused kernels gain nothing, and have no second derivative.
            attn_implementation="eager",
        )
        return library.SwinModel(config, add_pooling_layer=False)

    swin = backbone(sizes.window)
    last = sizes.image // sizes.patch // 2 ** (len(_HEADS) - 1)
    if last < sizes.window:
        # The library makes the position table of every stage for full windows.
        swin.encoder.layers[-1] = backbone(last).encoder.layers[-1]
    classifier = nn.Linear(swin.config.hidden_size, num_classes)
    nn.init.normal_(classifier.weight, std=swin.config.initializer_range)
    nn.init.zeros_(classifier.bias)
    return nn.Sequential(
        OrderedDict[str, nn.Module](swin=swin, pool=_MeanOfTokens(), classifier=classifier)
    )


class _MeanOfTokens(nn.Module):
    """The mean over the tokens of the last stage."""

    def forward(self, output: Any) -> Tensor:
        return torch.mean(output.last_hidden_state, dim=1)
