import hashlib

import numpy as np
import pytest
import torch

from expunge.data.identity import content_ids, fingerprint, given_ids
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.errors import DataError


def test_an_id_is_the_hash_of_shape_and_bytes(noise):
    array = noise(3, (3, 4, 5))
    digest = hashlib.blake2b(b"(3, 4, 5)" + array[1].tobytes(), digest_size=8)
    assert content_ids(StreamedImages(array))[1] == digest.hexdigest()


def test_identical_images_are_numbered_in_order(noise):
    array = noise(2, (1, 4, 4))[[0, 1, 0, 0]]
    first, other, second, third = content_ids(StreamedImages(array))
    assert second == f"{first}-1"
    assert third == f"{first}-2"
    assert other not in (first, second, third)


def test_ids_do_not_depend_on_the_neighbours_or_the_storage(noise):
    array = noise(1500, (1, 2, 3))
    ids = content_ids(ResidentImages(torch.from_numpy(array)))
    assert content_ids(StreamedImages(array[1100:1102])) == ids[1100:1102]


def test_the_shape_is_part_of_the_id():
    flat, tall = np.zeros((1, 1, 2, 3), np.uint8), np.zeros((1, 1, 3, 2), np.uint8)
    assert content_ids(StreamedImages(flat)) != content_ids(StreamedImages(tall))


def test_given_ids_become_texts():
    assert given_ids([3, "x"], "here") == ("3", "x")


def test_missing_ids_are_refused():
    with pytest.raises(DataError, match="here: rows without an id: 1, 2"):
        given_ids(["a", None, ""], "here")


def test_up_to_ten_duplicates_are_named():
    values = [str(i % 12) for i in range(24)]
    with pytest.raises(DataError, match=r"12 ids are given more than once: 0, 1, .*, 9 and 2 more"):
        given_ids(values, "here")


def test_the_fingerprint_depends_on_everything(noise):
    array = noise(4, (1, 2, 3))
    labels, ids, names = torch.tensor([0, 1, 0, 1]), ("a", "b", "c", "d"), ("x", "y")
    changed = array.copy()
    changed[3, 0, 1, 2] ^= 1
    prints = [
        fingerprint(StreamedImages(array), labels, ids, names),
        fingerprint(StreamedImages(changed), labels, ids, names),
        fingerprint(StreamedImages(array.reshape(4, 1, 3, 2)), labels, ids, names),
        fingerprint(StreamedImages(array), labels.flip(0), ids, names),
        fingerprint(StreamedImages(array), labels, ("a", "b", "c", "e"), names),
        fingerprint(StreamedImages(array), labels, ids, ("x", "z")),
        fingerprint(StreamedImages(array.astype(np.float32)), labels, ids, names),
    ]
    assert len(set(prints)) == len(prints)
    resident = ResidentImages(torch.from_numpy(array))
    assert fingerprint(resident, labels, ids, names) == prints[0]
