"""Crops: the region whole, inside the image, mapped back exactly; the pictures and the payloads."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tenth.errors import DataError
from tenth.label_studio.brush import THRESHOLD, decode_rle
from tenth.label_studio.regions import (
    RegionCrop,
    crop_for,
    region_prediction,
    region_task,
    to_crop,
    to_image,
)
from tenth.label_studio.render import OVERVIEW_BYTES, render_crop, render_overview
from tenth.segmentation.classes import ClassSet, LabelClass

CLASSES = ClassSet("c", (LabelClass(0, "road", (128, 64, 128)), LabelClass(1, "sky", (70, 130, 180))))


@st.composite
def boxes(draw):
    height, width = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top, height - 1)), draw(st.integers(left, width - 1))
    mask = np.zeros((height, width), np.bool_)
    mask[top, left : right + 1] = mask[top : bottom + 1, left] = True
    mask[bottom, left : right + 1] = True
    return mask


@given(boxes(), st.floats(0, 3))
def test_a_crop_lies_inside_and_holds_the_region(mask, context):
    crop = crop_for(mask, context=context)
    assert mask[crop.slices].sum() == mask.sum()
    assert crop.x >= 0 and crop.y >= 0
    assert crop.x + crop.width <= mask.shape[1] and crop.y + crop.height <= mask.shape[0]
    assert crop.scale >= 1
    if crop.scale > 1:
        assert crop.shape[0] <= 630 and crop.shape[1] <= 900


def test_a_region_in_the_middle_gets_context_on_every_side_and_fills_the_screen():
    mask = np.zeros((480, 640), np.bool_)
    mask[200:240, 300:340] = True
    # 40 pixels, 20 on each side: 80 high; 630 // 80 = 7; 630 // 7 = 90 and 900 // 7 = 128 pixels.
    assert crop_for(mask) == RegionCrop(x=256, y=175, width=128, height=90, scale=7)


def test_a_region_larger_than_the_screen_is_shown_at_scale_one():
    crop = crop_for(np.ones((2000, 3000), np.bool_))
    assert crop == RegionCrop(0, 0, 3000, 2000, 1)


def test_an_empty_region_is_refused():
    with pytest.raises(DataError, match="without a single pixel"):
        crop_for(np.zeros((4, 4), np.bool_))


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_image_to_crop_and_back_is_exact(seed, scale):
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array([0, 1, 7, 255], np.uint8), (12, 17))
    crop = RegionCrop(x=3, y=2, width=9, height=8, scale=scale)
    back = to_image(crop, to_crop(crop, labels), labels.shape)
    expected = np.full_like(labels, 255)
    expected[crop.slices] = labels[crop.slices]
    np.testing.assert_array_equal(back, expected)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ([1, 1, 255, 255], 255),
        ([1, 1, 1, 255], 1),
        ([1, 1, 0, 0], 0),
        ([1, 1, 0, 255], 1),
        ([255, 255, 255, 0], 255),
    ],
)
def test_a_pixel_is_painted_when_most_of_its_block_is(block, expected):
    crop = RegionCrop(x=1, y=0, width=1, height=1, scale=2)
    painted = np.array(block, np.uint8).reshape(2, 2)
    assert to_image(crop, painted, (1, 2)).tolist() == [[255, expected]]


def test_a_painting_of_another_size_and_a_crop_outside_are_refused():
    crop = RegionCrop(x=1, y=1, width=2, height=2, scale=2)
    with pytest.raises(DataError, match="not on this crop"):
        to_image(crop, np.zeros((4, 5), np.uint8), (4, 4))
    with pytest.raises(DataError, match="inside"):
        to_image(crop, np.zeros((4, 4), np.uint8), (2, 4))
    with pytest.raises(DataError, match="inside"):
        to_crop(crop, np.zeros((2, 4), np.uint8))


@pytest.fixture
def picture():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    mask = np.zeros((240, 320), np.bool_)
    cv2.circle(view := mask.astype(np.uint8), (200, 100), 17, 1, -1)
    return image, view.astype(np.bool_)


def test_the_outline_hides_no_pixel_of_the_region(picture):
    image, mask = picture
    crop = crop_for(mask)
    drawn = np.array(Image.open(io.BytesIO(render_crop(image, mask, crop))))
    assert drawn.shape[:2] == crop.shape
    plain = cv2.resize(image[crop.slices], crop.shape[::-1], interpolation=cv2.INTER_CUBIC)
    inside = to_crop(crop, mask.astype(np.uint8)) == 1
    np.testing.assert_array_equal(drawn[inside], plain[inside])


def test_the_outline_is_white_and_black_all_around_the_region(picture):
    image, mask = picture
    crop = crop_for(mask)
    drawn = np.array(Image.open(io.BytesIO(render_crop(image, mask, crop))))
    inside = (to_crop(crop, mask.astype(np.uint8)) == 1).astype(np.uint8)
    next_to_it = cv2.dilate(inside, np.ones((3, 3), np.uint8)).astype(np.bool_) & (inside == 0)
    assert (drawn[next_to_it] == 255).all()
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    assert (drawn[(away > 3.8) & (away < 5.2)] == 0).all()


@pytest.mark.parametrize("size", [(240, 320), (1024, 2048), (2000, 40)])
def test_an_overview_is_small_even_of_noise(size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, np.bool_)
    mask[10:30, 10:30] = True
    encoded = render_overview(image, mask, crop_for(mask))
    assert len(encoded) <= OVERVIEW_BYTES
    assert Image.open(io.BytesIO(encoded)).format == "JPEG"


def test_the_overview_marks_the_place():
    image = np.zeros((300, 600, 3), np.uint8)
    mask = np.zeros((300, 600), np.bool_)
    mask[100:140, 300:340] = True
    crop = RegionCrop(x=250, y=50, width=150, height=140, scale=4)
    drawn = np.array(Image.open(io.BytesIO(render_overview(image, mask, crop)))).astype(int)
    rows, columns = np.nonzero(drawn[..., 0] > 128)
    assert rows.min() == pytest.approx(50, abs=2) and rows.max() == pytest.approx(189, abs=2)
    assert columns.min() == pytest.approx(250, abs=2) and columns.max() == pytest.approx(399, abs=2)
    assert drawn[120, 298:300, 0].max() > 128
    assert drawn[110:130, 305:335, 0].max() < 60


def test_an_overview_of_another_image_is_refused():
    with pytest.raises(DataError, match="is not on an image"):
        render_overview(np.zeros((4, 4, 3), np.uint8), np.ones((3, 4), np.bool_), RegionCrop(0, 0, 1, 1, 1))


def test_a_task_carries_the_region_and_its_place():
    task = region_task(
        region_id="r1-000002-0003",
        round_number=1,
        image_key="train/a",
        crop_url="/data/c.png",
        overview_url="data:image/jpeg;base64,x",
        crop=RegionCrop(1, 2, 3, 4, 5),
    )
    assert task == {
        "data": {
            "region_id": "r1-000002-0003",
            "round": 1,
            "image": "train/a",
            "crop": "/data/c.png",
            "overview": ["data:image/jpeg;base64,x"],
            "place": {"x": 1, "y": 2, "width": 3, "height": 4, "scale": 5},
        }
    }


def test_a_prediction_selects_the_guess_and_paints_the_parts_at_the_crops_size():
    crop = RegionCrop(x=1, y=1, width=3, height=2, scale=2)
    parts = np.full((4, 5), 255, np.uint8)
    parts[1, 1:3] = 1
    parts[2, 2] = 0
    prediction = region_prediction(CLASSES, crop, guess=1, score=0.25, model_version="v1", parts=parts)
    assert (prediction["score"], prediction["model_version"]) == (0.25, "v1")
    choice, *brushes = prediction["result"]
    assert choice["value"] == {"choices": ["sky"]}
    assert [brush["value"]["brushlabels"] for brush in brushes] == [["road"], ["sky"]]
    for brush, label in zip(brushes, (0, 1), strict=True):
        assert (brush["original_width"], brush["original_height"]) == (6, 4)
        mask = decode_rle(brush["value"]["rle"], 4, 6) > THRESHOLD
        np.testing.assert_array_equal(mask, to_crop(crop, parts) == label)
    assert len({entry["id"] for entry in prediction["result"]}) == 3


def test_without_a_guess_nothing_is_selected():
    crop = RegionCrop(0, 0, 3, 2, 2)
    assert region_prediction(CLASSES, crop, guess=None, score=0, model_version="v1")["result"] == []
