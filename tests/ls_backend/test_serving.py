"""The model cache and the CRF's process."""

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from backend_world import World, add_version

from ls_backend.crf_process import CrfProcess
from ls_backend.runtimes import loader_of
from ls_backend.serving import ModelCache
from tenth.errors import DataError
from tenth.segmentation.crf import CRFOptions, dense_crf
from tenth.segmentation.superpixel_crf import superpixel_crf
from tenth.workspace.models import LoadedModel, ModelStore


class CountingStore(ModelStore):
    """Counts what is read from the disk, and can be made to wait."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.read: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def load(self, version: str) -> LoadedModel:
        self.read.append(version)
        assert self.go_on.wait(30)
        return super().load(version)


@pytest.fixture
def store(world: World) -> CountingStore:
    return CountingStore(world.workspace.models.folder)


def test_a_version_is_read_once_and_the_last_two_stay(store: CountingStore, world: World):
    cache = ModelCache(store, loader_of(world.workspace))
    third = add_version(world.workspace, 2)
    first, second = world.first, world.second
    for version in (first, second, first, third, first, second):
        assert cache.get(version).version == version
    assert store.read == [first, second, third, second]
    assert cache.loaded() == [first, second]


def test_threads_that_ask_together_share_one_reading(store: CountingStore, world: World):
    cache = ModelCache(store, loader_of(world.workspace))
    store.go_on.clear()
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(cache.get(world.first))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert cache.loaded() == []  # answered while they wait
    store.go_on.set()
    for thread in threads:
        thread.join()
    assert store.read == [world.first]
    assert len(found) == 4
    assert all(model is found[0] for model in found)


def test_the_pointer_is_read_at_each_request(store: CountingStore, world: World):
    cache = ModelCache(store, loader_of(world.workspace))
    assert cache.current() == world.first
    world.workspace.models.use(world.second)
    assert cache.current() == world.second


def test_a_failed_reading_is_tried_again(store: CountingStore, world: World):
    cache = ModelCache(store, loader_of(world.workspace))
    weights = store.folder / world.first / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    cache.warm_up()  # logs, and lets the worker live
    with pytest.raises(DataError, match="altered"):
        cache.get(world.first)
    weights.write_bytes(content)
    assert cache.get(world.first).version == world.first


def deadline() -> float:
    return time.monotonic() + 60


def no_regions():
    raise AssertionError("the pixel CRF needs no superpixels")


def test_the_crf_process_takes_superpixels_where_the_mode_says_so():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), (8, 9)).transpose(2, 0, 1).astype(np.float32)
    image = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    regions = np.arange(72).reshape(8, 9) // 6
    options = CRFOptions(mode="superpixel")
    crf = CrfProcess(options)
    try:
        refined = crf.refine(probabilities, image, lambda: regions, deadline())
    finally:
        crf.close()
    np.testing.assert_allclose(refined, superpixel_crf(probabilities, image, regions, options), atol=1e-6)


def test_the_crf_process_refuses_refines_dies_and_comes_back():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), (8, 9)).transpose(2, 0, 1).astype(np.float32)
    image = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    options = CRFOptions(iterations=3)
    crf = CrfProcess(options)
    try:
        expected = dense_crf(probabilities, image, options)
        np.testing.assert_allclose(
            crf.refine(probabilities, image, no_regions, deadline()), expected, atol=1e-6
        )
        with pytest.raises(DataError, match="sum"):
            crf.refine(probabilities * 2, image, no_regions, deadline())
        assert crf._child is not None
        os.kill(crf._child[0].pid or 0, signal.SIGKILL)
        with pytest.raises(DataError, match="9 × 8 pixels"):
            crf.refine(probabilities, image, no_regions, deadline())
        np.testing.assert_allclose(
            crf.refine(probabilities, image, no_regions, deadline()), expected, atol=1e-6
        )
    finally:
        crf.close()
