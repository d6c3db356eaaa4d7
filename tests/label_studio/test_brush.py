"""The run-length code against the SDK's, and against damaged bytes."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from label_studio_sdk.converter import brush as sdk

from tenth.errors import DataError
from tenth.label_studio.brush import THRESHOLD, decode_rle, encode_rle

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
MASKS = arrays(np.bool_, SHAPES)
ALPHAS = arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 127, 128, 255]))


@given(MASKS)
def test_a_mask_is_encoded_as_the_sdk_does(mask):
    assert encode_rle(mask) == sdk.mask2rle(mask.astype(np.uint8) * 255)


@given(ALPHAS)
def test_alpha_is_encoded_as_the_sdk_does_and_comes_back(alpha):
    rle = encode_rle(alpha)
    assert rle == sdk.mask2rle(alpha)
    np.testing.assert_array_equal(decode_rle(rle, *alpha.shape), alpha)


@given(ALPHAS)
def test_what_the_sdk_encodes_is_decoded_as_the_sdk_does(alpha):
    rle = sdk.mask2rle(alpha)
    expected = sdk.decode_rle(rle).reshape(*alpha.shape, 4)[..., 3]
    np.testing.assert_array_equal(decode_rle(rle, *alpha.shape), expected)


# Runs around each field's limit: 3, 4, 8 and 16 bits, and runs that have to be split.
@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 5, 63, 64, 65, 16383, 16384, 16385, 32768, 40000])
def test_run_lengths_at_the_limits_of_the_fields(pixels):
    mask = np.zeros((1, pixels + 3), np.uint8)
    mask[0, 2 : 2 + pixels] = 255
    rle = encode_rle(mask)
    assert rle == sdk.mask2rle(mask)
    np.testing.assert_array_equal(decode_rle(rle, *mask.shape), mask)


def listed(values: list[int], runs: list[int]) -> list[int]:
    """Encode with listed values only, as the editor's encoder does where values change often."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in (3, 4, 8, 16))
    start = 0
    for index, run in enumerate(runs):
        field = (3, 4, 8, 16)[index % 4]
        bits += f"0{index % 4:02b}{run - 1:0{field}b}" + "".join(
            f"{value:08b}" for value in values[start : start + run]
        )
        start += run
    bits += "0" * (8 - len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def test_runs_of_listed_values_are_decoded():
    alpha = np.array([[0, 200, 3], [255, 254, 127]], np.uint8)
    values = np.repeat(alpha.ravel(), 4).tolist()
    rle = listed(values, [8, 3, 5, 8])
    assert sdk.decode_rle(rle).tolist() == values
    np.testing.assert_array_equal(decode_rle(rle, 2, 3), alpha)


def test_the_threshold_keeps_the_upper_half_of_the_alpha():
    rle = encode_rle(np.array([[127, 128]], np.uint8))
    assert (decode_rle(rle, 1, 2) > THRESHOLD).tolist() == [[False, True]]


@given(MASKS, st.data())
def test_a_mask_cut_off_is_refused(mask, data):
    rle = encode_rle(mask)
    # The last byte may be padding alone, so a missing one is no loss.
    kept = data.draw(st.integers(0, len(rle) - 2))
    with pytest.raises(DataError):
        decode_rle(rle[:kept], *mask.shape)


@given(st.lists(st.integers(0, 255), max_size=60))
def test_any_bytes_are_decoded_or_refused(noise):
    header = encode_rle(np.zeros((5, 5), np.bool_))[:6]
    for rle in (noise, header + noise):
        with contextlib.suppress(DataError):
            assert decode_rle(rle, 5, 5).shape == (5, 5)


@pytest.mark.parametrize("rle", [[1, 2, 256] * 9, [-1] * 9, ["a"] * 9, [1.5] * 9, [None] * 9])
def test_what_is_no_byte_is_refused(rle):
    with pytest.raises(DataError, match="bytes"):
        decode_rle(rle, 2, 2)


def test_a_mask_of_another_picture_is_refused():
    with pytest.raises(DataError, match="another picture"):
        decode_rle(encode_rle(np.ones((4, 5), np.bool_)), 5, 5)


@pytest.mark.parametrize(
    "mask", [np.zeros(4, np.uint8), np.zeros((2, 2), np.int64), np.zeros((0, 3), np.bool_)]
)
def test_what_is_no_mask_is_refused(mask):
    with pytest.raises(DataError):
        encode_rle(mask)
