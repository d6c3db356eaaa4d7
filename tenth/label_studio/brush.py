"""Label Studio's run-length code of painted masks, the same byte for byte as its SDK writes it.

A mask travels as the RGBA pixels of a canvas, row by row, all four channels holding the alpha. The bits are a
header (32: how many values; 5: word size less one; four times 4: the field widths less one) and then runs:
1 bit whether one value repeats or each is listed, 2 bits which field width, that many bits for the length
less one, and the value or values (format: ``@thi.ng/rle-pack``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError

THRESHOLD = 127
"""A pixel is painted where its alpha is above this: brushes are antialiased, so alpha takes every value."""

_CHANNELS = 4
_WORD_SIZE = 8
_WIDTHS = (3, 4, 8, 16)
_HEADER_BITS = 32 + 5 + 4 * 4
_LONGEST = 1 << _WIDTHS[-1]


def encode_rle(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> list[int]:
    """Encode a mask as Label Studio's brush results hold it.

    Parameters
    ----------
    mask : (H, W) bool or uint8 array
        ``True`` becomes alpha 255; uint8 is taken as the alpha, 0..255.

    Returns
    -------
    list of int
        Bytes 0..255 for ``value.rle``.

    Raises
    ------
    DataError
        When the mask is not two-dimensional, of another type, or without pixels.
    """
    if mask.ndim != 2 or mask.size == 0 or mask.dtype not in (np.bool_, np.uint8):
        raise DataError(
            f"A mask of shape {mask.shape} and type {mask.dtype} is none. Give (H, W) bool or uint8."
        )
    alpha = mask.astype(np.uint8).ravel()
    if mask.dtype == np.bool_:
        alpha *= 255
    lengths, values = _runs(alpha)
    codes, widths = _codes(lengths, values)
    bits = np.unpackbits(codes.astype(">u4").view(np.uint8).reshape(-1, 4), axis=1)
    body = bits[np.arange(32) >= 32 - widths[:, None]]
    header = _CHANNELS * mask.size
    for width, value in ((5, _WORD_SIZE - 1), *((4, field - 1) for field in _WIDTHS)):
        header = header << width | value
    head = np.array([header >> shift & 1 for shift in reversed(range(_HEADER_BITS))], np.uint8)
    padding = np.zeros(8 - (len(head) + len(body)) % 8, np.uint8)
    encoded: list[int] = np.packbits(np.concatenate([head, body, padding])).tolist()
    return encoded


def _runs(alpha: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the lengths, counted in canvas values, and the values of the runs of equal alpha."""
    ends = np.append(np.flatnonzero(alpha[1:] != alpha[:-1]), len(alpha) - 1)
    return np.diff(ends, prepend=-1) * _CHANNELS, alpha[ends]


def _codes(
    lengths: NDArray[np.int64], values: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each run's bits as a number, and how many bits those are; long runs become several.

    A run is never a single value here, as each pixel gives four.
    """
    pieces = -(-lengths // _LONGEST)
    long = np.repeat(lengths > 256, pieces)
    rest = lengths - (pieces - 1) * _LONGEST
    split = np.full(int(pieces.sum()), _LONGEST, np.int64)
    split[np.cumsum(pieces) - 1] = rest
    field = np.where(long, 3, np.searchsorted([8, 16], split))
    width = np.array(_WIDTHS)[field]
    repeated = np.repeat(values.astype(np.int64), pieces)
    codes = ((4 | field) << (width + _WORD_SIZE)) | ((split - 1) << _WORD_SIZE) | repeated
    return codes, 3 + width + _WORD_SIZE


def decode_rle(rle: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
    """Decode the mask of a brush result.

    Parameters
    ----------
    rle : sequence of int
        Bytes 0..255: ``value.rle``.
    height, width : int
        ``original_height`` and ``original_width`` of the result, in pixels.

    Returns
    -------
    (height, width) uint8 array
        The alpha, 0..255; painted is what lies above `THRESHOLD`.

    Raises
    ------
    DataError
        When these are no bytes, when they end early, run over, or are of a picture of another size.
    """
    data = _bytes(rle)
    total = 8 * len(data)
    if total < _HEADER_BITS:
        raise DataError(f"A mask of {len(data)} bytes is cut off: the header alone takes 7.")
    head = int.from_bytes(data[:7]) >> 3
    count, word = head >> 21, (head >> 16 & 31) + 1
    if word != _WORD_SIZE:
        raise DataError(f"The mask has words of {word} bits; Label Studio paints with 8.")
    if count != _CHANNELS * height * width:
        raise DataError(
            f"The mask holds {count} values, but a picture of {width} x {height} pixels has "
            f"{_CHANNELS * height * width}: it was painted on another picture."
        )
    fields = [(head >> shift & 15) + 1 for shift in (12, 8, 4, 0)]
    starts, lengths, listed = _walk(data, count, fields)
    # One entry for each repeated value, and one for each listed one.
    entries = np.where(listed, lengths, 1)
    first = np.cumsum(entries) - entries
    nth = np.arange(int(entries.sum())) - np.repeat(first, entries)
    values = _words(data, np.repeat(starts, entries) + _WORD_SIZE * nth)
    canvas = np.repeat(values, np.repeat(np.where(listed, 1, lengths), entries))
    return np.ascontiguousarray(canvas.reshape(height, width, _CHANNELS)[..., -1])


def _bytes(rle: Sequence[int]) -> bytes:
    try:
        return bytes(rle)
    except (TypeError, ValueError) as error:
        raise DataError(f"The mask is not a list of bytes from 0 to 255: {error}.") from error


def _walk(
    data: bytes, count: int, fields: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return where each run's values begin (bit), its length, and whether its values are listed."""
    starts, lengths, listed = [], [], []
    bit, done, total = _HEADER_BITS, 0, 8 * len(data)
    while done < count:
        # 7 bits into the byte, 3 of flags and 16 of length fit into 32.
        byte = bit >> 3
        window = int.from_bytes(data[byte : byte + 4].ljust(4, b"\0")) << (bit & 7) & 0xFFFFFFFF
        field = fields[window >> 29 & 3]
        length = (window >> (29 - field) & (1 << field) - 1) + 1
        literal = not window >> 31
        starts.append(bit + 3 + field)
        lengths.append(length)
        listed.append(literal)
        bit += 3 + field + _WORD_SIZE * (length if literal else 1)
        done += length
        if bit > total:
            raise DataError(f"The mask ends after {done - length} of {count} values: it is cut off.")
    if done > count:
        raise DataError(f"The mask holds {done} values and announces {count}: it is damaged.")
    return np.array(starts, np.int64), np.array(lengths, np.int64), np.array(listed, np.bool_)


def _words(data: bytes, bits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the 8-bit values that begin at the given bits."""
    raw = np.frombuffer(data + b"\0", np.uint8).astype(np.uint16)
    byte, shift = bits >> 3, (bits & 7).astype(np.uint16)
    pair = raw[byte] << 8 | raw[byte + 1]
    values: NDArray[np.uint8] = (pair >> (8 - shift)).astype(np.uint8)
    return values
