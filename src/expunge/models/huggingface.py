"""Adapter for image and token classifiers of the library `transformers`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from expunge.errors import ModelError, line_of
from expunge.models.spec import ModelSpec


class Logits(nn.Module):
    """Extracts the logits from the output of a network of the library."""

    def forward(self, output: Any) -> Tensor:
        """`output.logits`."""
        return output.logits  # type: ignore[no-any-return]


def layers(source: str, spec: ModelSpec) -> dict[str, nn.Module]:
    """The network that a configuration describes, freshly initialised, and `Logits` after it.

    `source` is a folder with a `config.json`, or the id of a model on the hub. Only the
    configuration is read; weights next to it are never loaded. Classes, channels and image size
    are replaced by those of the spec, if the configuration has them.

    Raises:
        ModelError: the library is not installed, the configuration is not found, or it is not that
            of an image classifier.
    """
    library = transformers(f"hf:{source}")
    config = _read_config(library, source)
    try:
        _adapt(config, spec)
        # Fused attention has no second derivative and no per-sample gradients; eager has both.
        network = library.AutoModelForImageClassification.from_config(
            config, attn_implementation="eager", dtype=torch.float32, trust_remote_code=False
        )
    except Exception as error:
        raise ModelError(
            f"'hf:{source}' describes no image classifier for {spec.num_classes} classes "
            f"(its model type is {config.model_type!r}): {line_of(error)}"
        ) from error
    return {"network": network, "logits": Logits()}


class TokenClassifier(nn.Module):
    """A sequence classifier of the library that maps a dict of token tensors to logits.

    If the configuration has a padding id, it is put wherever `attention_mask` is 0: networks that
    classify by the last token look for it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.pad: int | None = getattr(network.config, "pad_token_id", None)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits `(B, classes)` of `input_ids` and `attention_mask`, int64 `(B, L)`."""
        if self.pad is not None:
            ids = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, self.pad)
            batch = {**batch, "input_ids": ids}
        return self.network(**batch).logits  # type: ignore[no-any-return]


def token_classifier(source: str, spec: ModelSpec) -> TokenClassifier:
    """The token classifier that a configuration describes, freshly initialised.

    As in `layers`, only the configuration is read. The number of classes comes from the spec.

    Raises:
        ModelError: the library is not installed, the configuration is not found or not that of a
            sequence classifier, or it has too few token ids.
    """
    library = transformers(f"hf:{source}")
    config = _read_config(library, source)
    known = getattr(config, "vocab_size", None)
    if spec.vocabulary is not None and known is not None and spec.vocabulary > known:
        raise ModelError(
            f"'hf:{source}' knows token ids 0 to {known - 1}, and the data go up to "
            f"{spec.vocabulary - 1}: use the tokenizer of this network"
        )
    try:
        config.num_labels = spec.num_classes
        config.return_dict = True
        network = library.AutoModelForSequenceClassification.from_config(
            config, attn_implementation="eager", dtype=torch.float32, trust_remote_code=False
        )
    except Exception as error:
        raise ModelError(
            f"'hf:{source}' describes no classifier of tokens for {spec.num_classes} classes "
            f"(its model type is {config.model_type!r}): {line_of(error)}"
        ) from error
    return TokenClassifier(network)


def configuration_digest(name: str) -> str | None:
    """Hex digest of the configuration of `hf:SOURCE`, because a change makes another network.

    None for all other networks, which their names identify.

    Raises:
        ModelError: as `layers`.
    """
    adapter, _, source = name.partition(":")
    if adapter != "hf":
        return None
    text = _read_config(transformers(name), source).to_json_string()
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def transformers(name: str) -> ModuleType:
    """The library.

    Raises:
        ModelError: it is not installed.
    """
    try:
        import transformers as library
    except ImportError as error:
        raise ModelError(
            f"{name} needs the library `transformers`: pip install 'expunge[transformers]'"
        ) from error
    return library  # type: ignore[no-any-return]


def _read_config(library: ModuleType, source: str) -> Any:
    def read(*, from_hub: bool) -> Any:
        # Never run code from the repository.
        return library.AutoConfig.from_pretrained(
            source, local_files_only=not from_hub, trust_remote_code=False
        )

    try:
        if Path(source).is_dir():
            return read(from_hub=False)
        try:
            return read(from_hub=False)  # in the library's own cache
        except OSError:
            _ask_hub(source)
            return read(from_hub=True)
    except Exception as error:
        raise ModelError(
            f"cannot read 'hf:{source}': expected a folder with a config.json, or the id of a "
            f"model on the hub: {line_of(error)}"
        ) from error


def _ask_hub(source: str) -> None:
    """Fail fast if the hub does not answer or lacks the model; the library retries for long."""
    from huggingface_hub import HfApi

    HfApi().model_info(source, timeout=10)


def _adapt(config: Any, spec: ModelSpec) -> None:
    config.num_labels = spec.num_classes
    config.return_dict = True
    if hasattr(config, "num_channels"):
        config.num_channels = spec.in_channels
    if hasattr(config, "image_size") and spec.image_size is not None:
        height, width = spec.image_size
        config.image_size = height if height == width else [height, width]
