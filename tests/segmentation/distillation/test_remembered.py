import threading

import numpy as np
import pytest
from distributions import soft_labels

from tenth.errors import DataError
from tenth.segmentation.distillation import RememberedSoftLabels, SoftLabelStore

KEYS = ["a", "b", "c"]
BYTES = 5 * 24 * 32 * 4


class Counting:
    """A store that counts how often each key was read."""

    def __init__(self, folder):
        self.store = SoftLabelStore.create(folder, {"teachers": ["icnet:abc"]})
        for seed, key in enumerate(KEYS):
            self.store.write(key, soft_labels(5, 24, 32, seed=seed))
        self.reads = dict.fromkeys(KEYS, 0)

    def read(self, key):
        self.reads[key] += 1
        return self.store.read(key)


@pytest.fixture
def source(tmp_path):
    return Counting(tmp_path)


def test_what_fits_is_read_once_and_the_same_as_ever(source):
    remembered = RememberedSoftLabels(source)
    for _ in range(3):
        for key in KEYS:
            np.testing.assert_array_equal(remembered.read(key), source.store.read(key))
    assert source.reads == dict.fromkeys(KEYS, 1)
    assert remembered.nbytes == 3 * BYTES


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (BYTES - 1, 0), (BYTES, 1), (3 * BYTES - 1, 2)])
def test_the_limit_is_never_passed_and_the_rest_is_read_again(source, limit, kept):
    remembered = RememberedSoftLabels(source, limit)
    for _ in range(4):
        for key in KEYS:
            np.testing.assert_array_equal(remembered.read(key), source.store.read(key))
    assert remembered.nbytes == kept * BYTES <= limit
    again = 4 if kept < 2 else 1  # one alone is what was read last
    assert sorted(source.reads.values()) == [1] * kept + [again] * (3 - kept)


def test_nobody_can_change_what_is_kept(source):
    labels = RememberedSoftLabels(source).read("a")
    with pytest.raises(ValueError, match="read-only"):
        labels[0, 0, 0] = 1


def test_many_threads_keep_each_image_once(source):
    remembered = RememberedSoftLabels(source)
    together = threading.Barrier(8)

    def read():
        together.wait()
        for key in KEYS:
            remembered.read(key)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert remembered.nbytes == 3 * BYTES


def test_what_is_missing_is_named(source):
    with pytest.raises(DataError, match="no soft labels of 'd'"):
        RememberedSoftLabels(source.store).read("d")


def test_what_a_thread_read_last_is_not_read_again(source):
    remembered = RememberedSoftLabels(source, 0)
    for key in ("a", "a", "b", "b", "a"):
        np.testing.assert_array_equal(remembered.read(key), source.store.read(key))
    assert (source.reads["a"], source.reads["b"]) == (2, 1)
    other = threading.Thread(target=remembered.read, args=("a",))
    other.start()
    other.join()
    assert source.reads["a"] == 3
