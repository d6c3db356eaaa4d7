"""Merging answers with pseudo-labels: known answers, and promises held by any set of answers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from controller.labels import LabelMap, RegionAnswer, Source, fixed_labels, human_labels, merge_labels
from controller.merge import WeighedImage
from tenth.errors import DataError
from tenth.segmentation.crf import CRFOptions, dense_crf
from tenth.segmentation.dataset import Sample
from tenth.segmentation.images import write_png

C, H, W = 3, 4, 6
SUPERPIXELS = np.repeat(np.repeat(np.int32([[0, 1, 2], [3, 4, 5]]), 2, axis=0), 2, axis=1)
UNSURE = np.array([0.5, 0.3, 0.2], np.float32)[:, None, None] * np.ones((1, H, W), np.float32)


def painted(**places):
    """Return a painted map: painted(c1=[(0, 0)]) paints class 1 at the top left."""
    canvas = np.full((H, W), 255, np.uint8)
    for name, pixels in places.items():
        for place in pixels:
            canvas[place] = int(name[1:])
    return canvas


def test_without_answers_everything_is_the_models():
    merged = merge_labels(SUPERPIXELS, [], UNSURE)
    assert (merged.labels == 0).all()
    assert (merged.source == Source.PSEUDO).all()
    assert (merged.confidence == np.float16(0.5)).all()
    assert (merged.answer == 0).all()
    assert [a.dtype for a in (merged.labels, merged.source, merged.confidence, merged.answer)] == [
        np.uint8,
        np.uint8,
        np.float16,
        np.int32,
    ]


def test_unsure_pseudo_labels_are_ignored():
    p = UNSURE.copy()
    p[:, 0, 0] = (0.05, 0.9, 0.05)
    merged = merge_labels(SUPERPIXELS, [], p, min_confidence=0.6)
    assert merged.labels[0, 0] == 1
    assert (np.delete(merged.labels.ravel(), 0) == 255).all()
    assert (np.delete(merged.source.ravel(), 0) == Source.IGNORED).all()
    assert (np.delete(merged.confidence.ravel(), 0) == 0).all()
    # a pixel exactly as sure as asked is kept
    assert (merge_labels(SUPERPIXELS, [], UNSURE, min_confidence=0.5).source == Source.PSEUDO).all()


def test_a_class_fills_its_region_around_what_was_painted():
    answer = RegionAnswer(7, region=1, label=2, painted=painted(c1=[(0, 2), (1, 3)]))
    merged = merge_labels(SUPERPIXELS, [answer], UNSURE, min_confidence=0.9)
    np.testing.assert_array_equal(merged.labels[:2, 2:4], [[1, 2], [2, 1]])
    region = SUPERPIXELS == 1
    assert (merged.source[region] == Source.HUMAN).all()
    assert (merged.confidence[region] == 1).all()
    assert (merged.answer[region] == 7).all()
    assert (merged.answer[~region] == 0).all()
    assert (merged.labels[~region] == 255).all()


def test_mixed_keeps_what_was_painted_and_ignores_the_rest():
    answer = RegionAnswer(7, region=1, label=None, painted=painted(c2=[(0, 2)]))
    merged = merge_labels(SUPERPIXELS, [answer], UNSURE)
    np.testing.assert_array_equal(merged.labels[:2, 2:4], [[2, 255], [255, 255]])
    np.testing.assert_array_equal(merged.confidence[:2, 2:4], [[1, 0], [0, 0]])
    assert (merged.source[SUPERPIXELS == 1] == Source.HUMAN).all()


def test_void_is_ignored_whatever_was_painted_in_it():
    answer = RegionAnswer(7, region=1, label=None, void=True, painted=painted(c2=[(0, 2), (3, 3)]))
    merged = merge_labels(SUPERPIXELS, [answer], UNSURE)
    assert (merged.labels[SUPERPIXELS == 1] == 255).all()
    assert (merged.source[SUPERPIXELS == 1] == Source.HUMAN).all()
    assert (merged.answer[SUPERPIXELS == 1] == 7).all()
    assert (merged.labels[3, 3], merged.source[3, 3]) == (2, Source.HUMAN_EXTRA)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("own", [{"label": 0}, {"label": None}, {"label": None, "void": True}])
def test_paint_beyond_a_region_never_covers_another_answer(order, own):
    stroke = RegionAnswer(7, region=0, label=1, painted=painted(c2=[(0, 2), (0, 4), (3, 0)]))
    merged = merge_labels(SUPERPIXELS, [stroke, RegionAnswer(8, region=1, **own)][::order], UNSURE)
    label = own["label"] if own["label"] is not None else 255
    assert (merged.labels[0, 2], merged.source[0, 2], merged.answer[0, 2]) == (label, Source.HUMAN, 8)
    for place in ((0, 4), (3, 0)):
        assert (merged.labels[place], merged.source[place], merged.answer[place]) == (
            2,
            Source.HUMAN_EXTRA,
            7,
        )
        assert merged.confidence[place] == 1


def test_the_last_answer_to_a_region_counts_and_the_one_before_leaves_no_trace():
    first = RegionAnswer(7, region=0, label=1, painted=painted(c2=[(0, 0), (3, 5)]))
    merged = merge_labels(SUPERPIXELS, [first, RegionAnswer(8, region=0, label=0)], UNSURE)
    assert not (merged.answer == 7).any()
    assert (merged.labels == 0).all()


def test_people_alone():
    answers = [RegionAnswer(7, region=5, label=1), RegionAnswer(9, region=0, label=None, void=True)]
    human = human_labels(SUPERPIXELS, answers)
    assert (human.labels[SUPERPIXELS == 5] == 1).all()
    assert (human.labels[SUPERPIXELS != 5] == 255).all()
    assert (human.source[SUPERPIXELS == 0] == Source.HUMAN).all()
    assert (human.source[np.isin(SUPERPIXELS, [0, 5], invert=True)] == Source.IGNORED).all()
    np.testing.assert_array_equal(fixed_labels(SUPERPIXELS, answers), human.labels)


@st.composite
def any_answers(draw):
    answers = []
    for place in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["class", "mixed", "void"]))
        answers.append(
            RegionAnswer(
                answer_id=place + 1,
                region=draw(st.integers(0, 5)),
                label=draw(st.integers(0, C - 1)) if kind == "class" else None,
                painted=draw(
                    st.none()
                    | hnp.arrays(np.uint8, (H, W), elements=st.sampled_from([255, 255, 255, 0, 1, 2]))
                ),
                void=kind == "void",
            )
        )
    return answers


any_probabilities = hnp.arrays(np.float32, (C, H, W), elements=st.floats(0.125, 1, width=32)).map(
    lambda p: p / p.sum(axis=0)
)


def pixel_by_pixel(answers, p, min_confidence):
    """Return labels, source and answer by the words of the contract, one pixel at a time."""
    latest = {}
    for answer in answers:
        latest.pop(answer.region, None)
        latest[answer.region] = answer
    order = {answer.answer_id: place for place, answer in enumerate(answers)}
    labels, source, ids = np.zeros((H, W), int), np.zeros((H, W), int), np.zeros((H, W), int)
    for y in range(H):
        for x in range(W):
            own = latest.get(int(SUPERPIXELS[y, x]))
            strokes = [
                a
                for a in latest.values()
                if a is not own and a.painted is not None and a.painted[y, x] != 255
            ]
            if own is not None:
                stroke = 255 if own.painted is None or own.void else own.painted[y, x]
                fill = 255 if own.label is None else own.label
                found = (fill if stroke == 255 else stroke, Source.HUMAN, own.answer_id)
            elif strokes:
                last = max(strokes, key=lambda a: order[a.answer_id])
                found = (last.painted[y, x], Source.HUMAN_EXTRA, last.answer_id)
            elif p[:, y, x].max() >= min_confidence:
                found = (p[:, y, x].argmax(), Source.PSEUDO, 0)
            else:
                found = (255, Source.IGNORED, 0)
            labels[y, x], source[y, x], ids[y, x] = found
    return labels, source, ids


@settings(deadline=None)
@given(any_answers(), any_probabilities, st.sampled_from([0.0, 0.5]))
def test_merging_equals_the_contract_pixel_by_pixel(answers, p, min_confidence):
    merged = merge_labels(SUPERPIXELS, answers, p, min_confidence)
    labels, source, ids = pixel_by_pixel(answers, p, min_confidence)
    np.testing.assert_array_equal(merged.labels, labels)
    np.testing.assert_array_equal(merged.source, source)
    np.testing.assert_array_equal(merged.answer, ids)


@settings(deadline=None)
@given(any_answers(), any_probabilities, any_probabilities)
def test_promises_of_merging(answers, p, other):
    merged = merge_labels(SUPERPIXELS, answers, p)
    people = np.isin(merged.source, [Source.HUMAN, Source.HUMAN_EXTRA])
    asked = np.isin(SUPERPIXELS, [answer.region for answer in answers])
    # nothing outside the regions asked about is HUMAN, everything inside is
    np.testing.assert_array_equal(merged.source == Source.HUMAN, asked)
    # every pixel of a person names an answer, no other does
    np.testing.assert_array_equal(merged.answer > 0, people)
    # no label, no confidence; a person's label is certain
    np.testing.assert_array_equal(merged.confidence == 0, merged.labels == 255)
    assert (merged.confidence[people & (merged.labels != 255)] == 1).all()
    # whatever the model thinks, people's pixels stay
    again = merge_labels(SUPERPIXELS, answers, other, min_confidence=1.0)
    human = human_labels(SUPERPIXELS, answers)
    for result in (merged, again):
        np.testing.assert_array_equal(result.labels[people], human.labels[people])
        np.testing.assert_array_equal(result.source[people], human.source[people])
        np.testing.assert_array_equal(result.answer, human.answer)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(any_answers(), any_probabilities)
def test_npz_round_trip(tmp_path: Path, answers, p):
    merged = merge_labels(SUPERPIXELS, answers, p, 0.5)
    merged.save(tmp_path / "map.npz")
    loaded = LabelMap.load(tmp_path / "map.npz")
    for name in ("labels", "source", "confidence", "answer"):
        before, after = getattr(merged, name), getattr(loaded, name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    assert [path.name for path in tmp_path.iterdir()] == ["map.npz"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    merge_labels(SUPERPIXELS, [], UNSURE).save(tmp_path / "map.npz")

    def full(*_args, **_arrays):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        human_labels(SUPERPIXELS, []).save(tmp_path / "map.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["map.npz"]
    assert (LabelMap.load(tmp_path / "map.npz").source == Source.PSEUDO).all()


def test_broken_files_are_named(tmp_path):
    path = tmp_path / "map.npz"
    with pytest.raises(DataError, match=r"map\.npz"):
        LabelMap.load(path)
    merge_labels(SUPERPIXELS, [], UNSURE).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"map\.npz"):
        LabelMap.load(path)
    np.savez(path, labels=np.zeros((2, 2), np.uint8))
    with pytest.raises(DataError, match=r"map\.npz"):
        LabelMap.load(path)
    zeros = np.zeros((2, 2), np.uint8)
    np.savez(path, labels=zeros, source=zeros, confidence=np.zeros((2, 3), np.float16), answer=zeros)
    with pytest.raises(DataError, match="'confidence' has shape"):
        LabelMap.load(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"map\.npz"):
        LabelMap.load(path)


@pytest.mark.parametrize("soft", [True, False])
def test_training_reads_no_more_of_a_file_than_it_needs(tmp_path, soft):
    """Files that lack the rest show it."""
    picture, path = np.zeros((1, 3, 3), np.uint8), tmp_path / "map.npz"
    write_png(tmp_path / "picture.png", picture)
    image = WeighedImage(Sample("pool/a", str(tmp_path / "picture.png"), None), path, soft)
    arrays = {
        "labels": np.array([[1, 2, 3]], np.uint8),
        "source": np.array([[Source.PSEUDO, Source.HUMAN, Source.HUMAN]], np.uint8),
        "confidence": np.array([[0.25, 0.5, 1]], np.float16),
    }
    np.savez(path, **arrays)
    _, labels, weights = image.load_weighed()
    assert labels.tolist() == [[1, 2, 3]]
    assert weights.tolist() == [[0.25 if soft else 1.0, 0.5, 1.0]]
    del arrays["confidence"]
    np.savez(path, **arrays)
    assert image.load_answered()[1].tolist() == [[255, 2, 3]]
    np.savez(path, labels=arrays["labels"])
    assert image.load()[1].tolist() == [[1, 2, 3]]
    with pytest.raises(DataError, match=r"map\.npz cannot be read"):
        image.load_weighed()


@pytest.mark.parametrize(
    "answer, message",
    [
        (RegionAnswer(4, region=6, label=1), "Answer 4 of region 6: this image has no such region"),
        (RegionAnswer(4, region=-1, label=1), "no such region"),
        (RegionAnswer(4, region=0, label=3), "class 3 is unknown"),
        (RegionAnswer(4, region=0, label=1, painted=np.zeros((2, 2), np.uint8)), "image's shape"),
        (RegionAnswer(4, region=0, label=1, painted=np.zeros((H, W), int)), "uint8"),
        (RegionAnswer(4, region=0, label=1, painted=painted(c9=[(0, 0)])), "painted class 9 is unknown"),
    ],
)
def test_answers_of_another_image_or_class_set_are_refused(answer, message):
    with pytest.raises(DataError, match=message):
        merge_labels(SUPERPIXELS, [answer], UNSURE)


def test_contradictions_are_refused():
    with pytest.raises(DataError, match="ids start at 1"):
        RegionAnswer(0, region=1, label=1)
    with pytest.raises(DataError, match="only one can be"):
        RegionAnswer(1, region=1, label=1, void=True)
    with pytest.raises(DataError, match="same image"):
        merge_labels(SUPERPIXELS, [], UNSURE[:, :2])


def test_propagated_an_answer_spreads_over_its_colour_and_no_further():
    image = np.full((H, W, 3), 40, np.uint8)
    image[:, 4:] = 210  # regions 2 and 5 are bright, the others dark
    p = np.array([0.4, 0.3, 0.3], np.float32)[:, None, None] * np.ones((1, H, W), np.float32)
    answers = [RegionAnswer(1, region=0, label=2), RegionAnswer(2, region=3, label=None, void=True)]

    def labels(fixed):
        return merge_labels(SUPERPIXELS, answers, dense_crf(p, image, CRFOptions(w2=0.5), fixed))

    before, after = labels(None), labels(fixed_labels(SUPERPIXELS, answers))
    spread = np.isin(SUPERPIXELS, [1, 4])
    assert (before.labels[spread] == 0).all()
    assert (after.labels[spread] == 2).all()
    assert (after.source[spread] == Source.PSEUDO).all()
    assert (after.labels[:, 4:] == 0).all()
    assert (after.labels[SUPERPIXELS == 0] == 2).all()
    assert (after.labels[SUPERPIXELS == 3] == 255).all()
