"""Tiny datasets on disk, and a cache of their own for every test."""

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("EXPUNGE_CACHE", str(folder))
    return folder


def _noise(count, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.fixture
def noise():
    """A function: `count` random uint8 images of a shape."""
    return _noise


@pytest.fixture
def png():
    """A function: an array `(H, W)` or `(H, W, 3)` as the bytes of a PNG file."""

    def encode(array, **options):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "PNG", **options)
        return file.getvalue()

    return encode


@pytest.fixture
def write_parquet(tmp_path, png):
    """A function: a folder with one parquet file per split, of arrays and labels."""
    import datasets

    def write(splits, class_names=None, **columns):
        folder = tmp_path / "parquet"
        folder.mkdir(exist_ok=True)
        for split, (images, labels) in splits.items():
            cells = [
                image
                if image is None or isinstance(image, dict)
                else {"bytes": image if isinstance(image, bytes) else png(image), "path": None}
                for image in images
            ]
            features = {"img": datasets.Image(decode=False)}
            content = {"img": cells, "label": labels}
            if class_names is not None:
                features["label"] = datasets.ClassLabel(names=class_names)
            elif any(isinstance(label, str) for label in labels):
                features["label"] = datasets.Value("string")
            elif any(isinstance(label, float) for label in labels):
                features["label"] = datasets.Value("float32")
            else:
                features["label"] = datasets.Value("int64")
            for name, values in columns.items():
                content[name] = values[: len(labels)]
                features[name] = datasets.Value("string")
            dataset = datasets.Dataset.from_dict(content, features=datasets.Features(features))
            dataset = dataset.cast_column("img", datasets.Image())
            # to_parquet would draw a progress bar.
            datasets.disable_progress_bars()
            try:
                dataset.to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))
            finally:
                datasets.enable_progress_bars()
        return folder

    return write


@pytest.fixture
def image_folder(tmp_path):
    """Two classes of three PNG files each, 6x5 RGB, without splits."""
    folder = tmp_path / "photos"
    for label, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i, array in enumerate(_noise(3, (6, 5, 3), seed=label)):
            Image.fromarray(array).save(folder / name / f"{i}.png")
    return folder
