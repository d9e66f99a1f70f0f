"""Small data of every kind of inputs, and blank batches like it."""

import numpy as np
import torch

from expunge.data.arrays import as_samples
from expunge.tasks import classify

VOCABULARY = 20


def stripes(count=9, shape=(3, 32, 32), classes=3):
    """Images, each brighter where its class says."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    images = rng.integers(0, 120, (count, *shape))
    for image, label in zip(images, labels, strict=True):
        image[:, 8 * label : 8 * label + 12] += 120
    return as_samples((images.astype(np.uint8), labels), name="stripes")


def clouds(count=30, features=7, classes=3):
    """Vectors about a centre for each class, on scales and about means that differ."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    centres = 2 * rng.standard_normal((classes, features))
    vectors = centres[labels] + rng.standard_normal((count, features))
    vectors = vectors * 10.0 ** np.arange(-2, features - 2) + 100
    return as_samples((vectors.astype(np.float32), labels), name="clouds")


def sentences(count=24, length=6, classes=3):
    """Tokens of several lengths; those of a class begin with its own id."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    ids = rng.integers(5, VOCABULARY, (count, length))
    ids[:, 0] = 1 + labels
    ids[0, 1] = VOCABULARY - 1
    lengths = rng.integers(2, length + 1, count)
    lengths[0] = length
    mask = np.arange(length) < lengths[:, None]
    tokens = {"input_ids": ids * mask, "attention_mask": mask.astype(np.int64)}
    return as_samples((tokens, labels), name="sentences")


def save_bert(folder, **changes):
    """The configuration of a tiny BERT in `folder`, and its name in `ModelSpec`."""
    from transformers import BertConfig

    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "max_position_embeddings": 16,
    }
    BertConfig(**{**sizes, **changes}).save_pretrained(folder)
    return f"hf:{folder}"


def first_batch(samples, count=2):
    """The first samples as the network takes them."""
    (batch,) = samples.inputs.batches([torch.arange(count)])
    return classify.TASK.inputs(batch)
