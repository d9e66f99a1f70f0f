"""Archives of arrays: what is in them, and what is refused before it is read."""

import zipfile

import numpy as np
import pytest

from expunge.data.sources import load, npz
from expunge.data.spec import DataSpec
from expunge.errors import DataError, ExpungeError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


@pytest.fixture
def read(path):
    return lambda **settings: load(DataSpec(source=str(path), **settings))


def arrays(noise, **others):
    return {"x_train": noise(10, (4, 4)), "y_train": np.arange(10) % 2, **others}


def test_arrays_of_other_names_are_named(path, read, noise):
    np.savez(path, **arrays(noise, x_val=noise(2, (4, 4)), notes=np.array([{}])))
    assert read().notes == ("left out arrays of other names: x_val, notes",)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"x_train": np.zeros((10, 4, 4), np.uint16) + 300}, "set.npz, train: expected images of"),
        ({"x_train": np.zeros((10, 4, 4), bool)}, "set.npz, train: .*got bool"),
        ({"x_train": np.zeros((10, 4, 4), complex)}, "set.npz, train: .*complex128"),
        ({"x_train": np.full((10, 4, 4), "a")}, "set.npz, train: .*<U1"),
        (
            {"x_train": np.full((10, 4, 4), {})},
            "set.npz as an .npz file of plain .*allow_p",
        ),
        ({"y_train": np.zeros(10)}, "set.npz, train, y_train: labels must be .* got float64"),
        ({"y_train": np.zeros((10, 2), int)}, r"y_train: labels must be .* shape \(10, 2\)"),
        ({"y_train": np.full(10, b"a")}, r"y_train: labels must be one integer or text"),
        ({"ids_train": np.zeros(10)}, "ids_train, row 0: an id must be a text or a whole number"),
        ({"ids_train": np.array(7)}, "train has 10 images but 1 ids"),
        ({"ids_train": np.zeros(10, int)}, "ids_train: 1 ids are given more than once: 0"),
    ],
)
def test_arrays_that_do_not_fit_are_named(path, read, noise, others, message):
    np.savez(path, **arrays(noise, **others))
    with pytest.raises(DataError, match=message):
        read()


def test_integer_ids_are_text(path, read, noise):
    np.savez(path, **arrays(noise, ids_train=np.arange(10) + 7))
    dataset = read()
    assert {*dataset.train.ids, *dataset.test.ids} == set(map(str, range(7, 17)))
    assert dataset.train.ids_from == "array ids_train"


def test_raw_pixels_are_taken_when_asked(path, read, noise):
    np.savez(path, **arrays(noise, x_train=noise(10, (4, 4)) / 50 - 2))
    with pytest.raises(DataError, match=r"floats in 0-1, got float64 in -\d.* set raw_pixels"):
        read()
    assert float(read(raw_pixels=True).train.inputs.tensor.min()) < 0


def test_a_bomb_is_refused_by_its_declared_size(path, read, noise, monkeypatch):
    monkeypatch.setattr(npz, "_LARGE", 10_000)
    np.savez_compressed(
        path, **arrays(noise, x_test=np.zeros((10, 100, 100), np.uint8), y_test=[0])
    )
    opened = []
    monkeypatch.setattr(np, "load", lambda *given, **_: opened.append(given))
    with pytest.raises(DataError, match=r"the array x_test inflates from \d+ bytes to 0.\d MB"):
        read()
    assert not opened


def test_what_memory_cannot_hold_is_refused(path, read, noise, monkeypatch):
    np.savez(path, **arrays(noise, unused=np.zeros(10_000)))
    monkeypatch.setattr("expunge.memory.memory_bytes", lambda: 400)
    with pytest.raises(DataError, match=r"set.npz needs memory of about 0.0 MB, and this machine"):
        read()
    monkeypatch.setattr("expunge.memory.memory_bytes", lambda: 1000)
    assert read().notes


def test_a_header_that_lies_is_refused(path, read, noise):
    np.savez(path, **arrays(noise))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    huge = members["x_train.npy"].replace(b"(10, 4, 4), }   ", b"(10000, 4, 4), }")
    assert huge != members["x_train.npy"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, "x_train.npy": huge}.items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match=r"the array x_train is of \d+ bytes by its header"):
        read()


def test_damage_anywhere_is_one_line(path, read, noise):
    np.savez_compressed(path, **arrays(noise))
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    said = []
    for _ in range(150):
        damaged = bytearray(good)
        damaged[rng.integers(len(good))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            read()
        except ExpungeError as error:
            said.append(str(error))
    assert len(said) > 75
    assert not any("\n" in line for line in said)
