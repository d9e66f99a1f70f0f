"""The pipeline that one usually finds: a Dataset of images, changed one by one, and a DataLoader.

It is the other side of comparisons, and is written as its users would.
"""

import random

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

PADDING = 4


class PerImage(Dataset[tuple[Tensor, int]]):
    """Images as arrays `(N, H, W, 3)` of uint8; each is cropped and mirrored at random."""

    def __init__(self, images: np.ndarray, labels: list[int], augment: bool = True) -> None:
        self.images = images
        self.labels = labels
        self.augment = augment

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index])
        if self.augment:
            image = changed(image)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        return pixels.float().div(255), self.labels[index]


def changed(image: Image.Image) -> Image.Image:
    """A random crop of the padded image, mirrored half of the time."""
    width, height = image.size
    padded = ImageOps.expand(image, PADDING)
    left, top = random.randint(0, 2 * PADDING), random.randint(0, 2 * PADDING)
    image = padded.crop((left, top, left + width, top + height))
    return ImageOps.mirror(image) if random.random() < 0.5 else image


def loader(
    images: Tensor, labels: Tensor, batch: int, workers: int = 0, augment: bool = True
) -> DataLoader[tuple[Tensor, int]]:
    """Batches in random order of images `(N, 3, H, W)`; workers live as long as the loader."""
    dataset = PerImage(images.permute(0, 2, 3, 1).numpy(), labels.tolist(), augment)
    return DataLoader(
        dataset, batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def train(
    model: nn.Module,
    batches: DataLoader[tuple[Tensor, int]],
    optimizer: torch.optim.Optimizer,
    autocast: torch.autocast,
) -> None:
    """One epoch."""
    model.train()
    for images, labels in batches:
        optimizer.zero_grad()
        with autocast:
            loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
