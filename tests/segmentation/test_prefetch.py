import itertools
import threading

import pytest

from tenth.segmentation.prefetch import prefetched


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_in_order_and_complete(workers):
    assert list(prefetched(lambda key: key * key, range(30), workers)) == [k * k for k in range(30)]
    assert list(prefetched(str, [], workers)) == []


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_endless_keys_are_loaded_only_a_little_ahead(workers):
    loaded = []

    def load(key):
        loaded.append(key)
        return key

    source = prefetched(load, itertools.count(), workers)
    assert [next(source) for _ in range(10)] == list(range(10))
    source.close()
    assert len(loaded) <= 10 + workers + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load")]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_error_comes_at_its_turn(workers):
    source = prefetched(lambda key: 1 // key, [1, 1, 0, 1], workers)
    assert [next(source), next(source)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(source)


def test_loads_beside_the_caller_not_in_its_thread():
    def thread(_):
        return threading.current_thread()

    assert threading.main_thread() not in set(prefetched(thread, range(5), 1))
    assert set(prefetched(thread, range(5), 0)) == {threading.main_thread()}
