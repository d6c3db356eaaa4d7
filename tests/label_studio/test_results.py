"""Annotations as the editor sends them, and every way in which they can be wrong."""

import copy
from datetime import UTC, datetime

import numpy as np
import pytest

from tenth.errors import DataError
from tenth.label_studio.brush import THRESHOLD, decode_rle, encode_rle
from tenth.label_studio.configs import MIXED, VOID
from tenth.label_studio.regions import RegionCrop, brush_result, to_crop
from tenth.label_studio.results import ResultError, SkippedError, image_predictions, parse_annotation
from tenth.segmentation.classes import ClassSet, LabelClass

CLASSES = ClassSet(
    "c", tuple(LabelClass(i, name, (i, 0, 0)) for i, name in enumerate(["road", "sky", "tree & co"]))
)
CROP = RegionCrop(x=2, y=1, width=4, height=3, scale=3)
SHAPE = (6, 8)


def choice(*values, origin="manual"):
    return {
        "id": "x",
        "type": "choices",
        "from_name": "answer",
        "to_name": "crop",
        "origin": origin,
        "value": {"choices": list(values)},
    }


def paint(label, mask, origin="manual"):
    """A mask in image pixels, as it comes back from the crop."""
    enlarged = to_crop(CROP, mask.astype(np.uint8)) == 1
    return {**brush_result("p" + label, "paint", "crop", label, enlarged), "origin": origin}


def pixels(*places):
    mask = np.zeros(SHAPE, np.bool_)
    for place in places:
        mask[place] = True
    return mask


def annotation(*result, **fields):
    return {
        "id": 7,
        "result": list(result),
        "completed_by": 1,
        "lead_time": 1.5,
        "was_cancelled": False,
        "created_at": "2026-01-02T03:04:05.6Z",
        "updated_at": "2026-01-02T03:05:05.6Z",
    } | fields


def parse(*result, data=None, **fields):
    return parse_annotation(
        annotation(*result, **fields),
        data={"region_id": "r1"} if data is None else data,
        region_id="r1",
        crop=CROP,
        image_shape=SHAPE,
        classes=CLASSES,
    )


def test_a_class_with_who_and_when():
    answer = parse(choice("tree & co"))
    assert (answer.kind, answer.label, answer.painted) == ("class", 2, None)
    assert (answer.annotation_id, answer.annotator, answer.lead_time) == (7, "1", 1.5)
    assert answer.completed_at == datetime(2026, 1, 2, 3, 5, 5, 600000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("completed_by", "annotator"),
    [({"id": 3, "email": "a@b.c"}, "a@b.c"), ({"id": 3}, "3"), (4, "4"), (None, "")],
)
def test_the_annotator_is_the_address_or_the_id(completed_by, annotator):
    assert parse(choice("sky"), completed_by=completed_by).annotator == annotator


@pytest.mark.parametrize("value", [None, "soon", True])
def test_a_missing_time_is_no_reason_to_lose_an_answer(value):
    answer = parse(choice("sky"), lead_time=value, updated_at=value, created_at=value)
    assert (answer.lead_time, answer.completed_at, answer.label) == (None, None, 1)


@pytest.mark.parametrize(("value", "kind"), [(MIXED, "mixed"), (VOID, "void")])
def test_mixed_and_void(value, kind):
    answer = parse(choice(value))
    assert (answer.kind, answer.label, answer.painted) == (kind, None, None)


def test_paint_without_a_choice_is_mixed():
    answer = parse(paint("sky", pixels((2, 3))))
    assert (answer.kind, answer.label) == ("mixed", None)
    expected = np.full(SHAPE, 255, np.uint8)
    expected[2, 3] = 1
    np.testing.assert_array_equal(answer.painted, expected)


def test_paint_maps_to_the_images_pixels_and_the_later_stroke_lies_on_top():
    answer = parse(
        choice("road"), paint("sky", pixels((1, 2), (2, 3))), paint("tree & co", pixels((2, 3), (3, 5)))
    )
    expected = np.full(SHAPE, 255, np.uint8)
    expected[1, 2] = 1
    expected[2, 3] = expected[3, 5] = 2
    assert (answer.kind, answer.label) == ("class", 0)
    np.testing.assert_array_equal(answer.painted, expected)


def test_faint_edges_of_a_brush_are_not_painted():
    alpha = np.zeros(CROP.shape, np.uint8)
    alpha[0:3, 0:3] = 128
    alpha[0:3, 3:6] = 127
    entry = paint("sky", pixels())
    entry["value"]["rle"] = encode_rle(alpha)
    painted = parse(choice(MIXED), entry).painted
    assert (painted[1, 2], painted[1, 3]) == (1, 255)


def test_what_was_erased_again_is_not_painted():
    assert parse(choice("sky"), paint("road", pixels())).painted is None


def test_the_models_parts_count_with_the_guess_and_with_mixed_but_not_with_another_class():
    part, own = paint("sky", pixels((1, 2)), origin="prediction"), paint("road", pixels((2, 2)))
    changed = paint("sky", pixels((1, 2)), origin="prediction-changed")
    accepted = parse(choice("road", origin="prediction"), part)
    assert accepted.painted[1, 2] == 1
    assert parse(choice(MIXED, origin="prediction-changed"), part).painted[1, 2] == 1
    for origin in ("manual", "prediction-changed"):
        corrected = parse(choice("tree & co", origin=origin), part, own)
        assert (corrected.painted[1, 2], corrected.painted[2, 2]) == (255, 0)
    assert parse(choice("tree & co"), changed).painted[1, 2] == 1


def test_whether_the_guess_was_kept():
    part, own = paint("sky", pixels((1, 2)), origin="prediction"), paint("sky", pixels((1, 2)))
    assert parse(choice("road", origin="prediction")).guess_kept
    assert parse(choice("road", origin="prediction"), part).guess_kept
    assert not parse(choice("road", origin="prediction"), own).guess_kept
    assert not parse(choice("road", origin="prediction-changed")).guess_kept
    assert not parse(choice("road")).guess_kept


def test_a_skipped_task_is_told_apart():
    with pytest.raises(SkippedError):
        parse(was_cancelled=True)


def test_the_answer_to_another_region_is_refused():
    for data in ({"region_id": "r2"}, {}):
        with pytest.raises(ResultError, match="not of 'r1'"):
            parse(choice("sky"), data=data)


def changed(path, value):
    """A painted answer with one thing in it changed; `...` removes it."""
    result = [choice("road"), copy.deepcopy(paint("sky", pixels((2, 3))))]
    target = result[path[0]]
    for key in path[1:-1]:
        target = target[key]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return result


RLE = paint("sky", pixels((2, 3)))["value"]["rle"]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((0, "value", "choices"), ["rode"], "'rode' is no class"),
        ((0, "value", "choices"), ["road", "sky"], "one choice"),
        ((0, "value", "choices"), [], "one choice"),
        ((0, "value", "choices"), "road", "one choice"),
        ((0, "value", "choices"), [0], "not a text"),
        ((0, "value"), ..., "no value"),
        ((0, "from_name"), "class", "'class'"),
        ((0, "from_name"), ..., "None"),
        ((0, "from_name"), ["answer"], "goes from"),
        ((0, "to_name"), "overview", "'overview'"),
        ((0, "type"), "taxonomy", "'taxonomy'"),
        ((1, "type"), "bitmasklabels", "'bitmasklabels'"),
        ((1, "value", "brushlabels"), ["skye"], "'skye' is no class"),
        ((1, "value", "brushlabels"), [MIXED], "'mixed' is no class"),
        ((1, "value", "brushlabels"), [["sky"]], "is no class"),
        ((1, "value", "brushlabels"), ["sky", "road"], "one class"),
        ((1, "value", "brushlabels"), ..., "one class"),
        ((1, "value", "rle"), RLE[:-6], "cut off"),
        ((1, "value", "rle"), [1, 2, 3], "cut off"),
        ((1, "value", "rle"), [*RLE[:9], 300, *RLE[10:]], "bytes"),
        ((1, "value", "rle"), ..., "no mask"),
        ((1, "value", "rle"), "AAAA", "no mask"),
        ((1, "value", "format"), "png", "no mask"),
        ((1, "original_width"), ..., "None x 9"),
        ((1, "original_height"), ..., "12 x None"),
        ((1, "original_width"), 13, "13 x 9"),
        ((1, "original_height"), "9", "but the crop has 12 x 9"),
        ((1, "image_rotation"), 90, "rotated by 90"),
    ],
)
def test_a_damaged_result_is_refused_with_a_reason(path, value, reason):
    with pytest.raises(ResultError) as caught:
        parse(*changed(path, value))
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ([], "empty"),
        ([paint("road", pixels())], "empty"),
        ([choice("road"), choice("sky")], "one choice"),
        (None, "list of objects"),
        (["road"], "list of objects"),
    ],
)
def test_an_answer_that_says_nothing_or_too_much_is_refused(result, reason):
    with pytest.raises(ResultError) as caught:
        parse(result=result)
    assert reason in caught.value.reason


def test_an_annotation_without_an_id_is_refused():
    with pytest.raises(ResultError, match="id is None"):
        parse(choice("sky"), id=None)


def test_a_whole_image_becomes_one_mask_a_class():
    labels = np.array([[0, 0, 255], [2, 0, 255]], np.uint8)
    prediction = image_predictions(labels, CLASSES, "v2", 0.5)
    assert (prediction["model_version"], prediction["score"]) == ("v2", 0.5)
    assert [entry["value"]["brushlabels"] for entry in prediction["result"]] == [["road"], ["tree & co"]]
    for entry, label in zip(prediction["result"], (0, 2), strict=True):
        assert (entry["from_name"], entry["to_name"], entry["type"]) == ("label", "image", "brushlabels")
        mask = decode_rle(entry["value"]["rle"], entry["original_height"], entry["original_width"])
        np.testing.assert_array_equal(mask > THRESHOLD, labels == label)


def test_a_whole_image_with_an_unknown_class_is_refused():
    with pytest.raises(DataError, match="class id 3"):
        image_predictions(np.array([[3, 255]], np.uint8), CLASSES, "v", 0)
