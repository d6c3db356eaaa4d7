import numpy as np
import pytest

from benchmarks.teacher_weights import confusion, spread, ways


def asked_of(right_by_teacher, images=6):
    """Return what teachers say about images of two classes; each is sure, and right at some of the pixels."""
    labels = np.tile([[0, 1], [1, 0]], (1, 4)).astype(np.uint8)
    logits = {}
    for place, right in enumerate(right_by_teacher):
        said = np.where(np.arange(labels.size).reshape(labels.shape) < right, labels, 1 - labels)
        logits[f"t{place}"] = (3 * np.stack([said == 0, said == 1])).astype(np.float16)
    return [(logits, labels)] * images


def test_images_are_evenly_spread():
    assert spread(list(range(11)), 3) == [0, 5, 10]


def test_each_way_and_what_it_gets_right():
    # The second is best on train, the first on val.
    asked = {"train": asked_of([8, 16]), "val": asked_of([14, 4])}
    found = dict(ways(asked))
    assert list(found)[:5] == ["t0 alone", "t1 alone", "equal", "IoU on train", "IoU on val"]
    for weights in found.values():
        np.testing.assert_allclose(weights.sum(0), 1)
    assert (found["IoU on train"][1] > 0.6).all()
    assert (found["stacked on val"][0] > 0.9).all()
    np.testing.assert_allclose(found["stacked on 5 images of val"], found["stacked on val"], atol=0.02)
    right = {name: np.trace(confusion(weights, asked["val"]).counts) / 96 for name, weights in found.items()}
    assert right["t0 alone"] == pytest.approx(14 / 16)
    assert right["stacked on val"] == right["t0 alone"]
    assert right["stacked on train"] == right["t1 alone"] == pytest.approx(4 / 16)
