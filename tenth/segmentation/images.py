"""Reading pictures and label maps, from disk or from anywhere fsspec reaches, and writing PNG."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import cv2
import fsspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tenth.errors import DataError, OutOfReach, UnreadableFile
from tenth.segmentation.classes import IGNORE

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
"""File name endings, lower case, of the pictures we read."""

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
# Pillow stretches grey PNGs of 2 and 4 bits to 0..255; these factors give the ids back.
_STRETCH = {"L;2": 85, "L;4": 17}


def read_bytes(source: str | Path) -> bytes:
    """Read a local file or whatever a URL points to (``s3://``, ``https://``, ``memory://``: fsspec).

    Raises
    ------
    UnreadableFile
        When it does not exist.
    OutOfReach
        When its storage cannot be reached, as in an outage, or refuses.
    DataError
        When its protocol is unknown or needs a package that is missing.
    """
    try:
        if isinstance(source, str) and "://" in source:
            filesystem, path = fsspec.core.url_to_fs(source)
            # not fsspec.open: over HTTP it says of a server out of reach that the file does not exist
            return bytes(filesystem.cat_file(path))
        return Path(source).read_bytes()
    except FileNotFoundError as error:
        raise UnreadableFile(f"{source} does not exist.") from error
    except (ValueError, ImportError) as error:
        raise DataError(
            f"{source} cannot be read: {_reason(error)}. Correct the address, or install what it needs."
        ) from error
    except Exception as error:  # each fsspec protocol raises errors of its own
        raise OutOfReach(
            f"{source} cannot be read: {_reason(error)}. Check the connection to its storage, credentials "
            "and permissions, then try again."
        ) from error


def read_image(source: str | Path) -> NDArray[np.uint8]:
    """Read a picture as people see it.

    The EXIF orientation is applied, transparent pixels are laid over black (what lies under them is not part
    of the picture), 16 bit channels keep their high byte, palettes, grey and CMYK become RGB. Of files with
    several pictures the first is read.

    Parameters
    ----------
    source : str or Path
        Local path or fsspec URL of a JPEG, PNG, TIFF or WebP file.

    Returns
    -------
    (H, W, 3) uint8 array
        RGB.

    Raises
    ------
    UnreadableFile
        When the file is missing, truncated, or not such a picture; the message names it.
    DataError
        When its storage cannot be reached (`OutOfReach`), or is of an unknown kind.
    """
    return decode_image(read_bytes(source), source)


def decode_image(data: bytes, source: str | Path) -> NDArray[np.uint8]:
    """Decode the content of a picture file as `read_image` does; `source` names it in messages.

    Returns
    -------
    (H, W, 3) uint8 array
        RGB.

    Raises
    ------
    UnreadableFile
        When `data` are truncated or no such picture.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            image.load()
            return np.array(_to_rgb(ImageOps.exif_transpose(image)), np.uint8)
    except Exception as error:  # Pillow's decoders raise anything from OSError to SyntaxError on broken files
        raise UnreadableFile(
            f"{source} cannot be read as a picture ({len(data)} bytes): {_reason(error)}. "
            "Replace or remove it; JPEG, PNG, TIFF and WebP are read."
        ) from error


def read_labels(path: str | Path, classes: int) -> NDArray[np.uint8]:
    """Read a label map: a PNG with one channel of class ids, 255 where ignored.

    Grey PNGs of any depth give their values, palette PNGs their indices (not their colours).

    Parameters
    ----------
    path : str or Path
        Local path or fsspec URL.
    classes : int
        Number of classes; ids are below it.

    Returns
    -------
    (H, W) uint8 array
        Ids 0..classes-1 and 255.

    Raises
    ------
    UnreadableFile
        When the file is missing or broken.
    DataError
        When its storage cannot be reached, it is in colour, or holds an id that no class has; the message
        names the file, the id and how many pixels have it.
    """
    data = read_bytes(path)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            stretch = _STRETCH.get(_raw_mode(image), 1)
            image.load()
            mode, values = image.mode, np.array(ImageOps.exif_transpose(image))
    except Exception as error:  # as in read_image
        raise UnreadableFile(
            f"{path} cannot be read as a label map ({len(data)} bytes): {_reason(error)}. "
            "Label maps are PNG files with one channel of class ids."
        ) from error
    if values.ndim != 2:
        raise DataError(
            f"{path} is a colour picture ({mode}), not a label map; "
            "store class ids in one channel, 255 = ignore."
        )
    values = values // stretch if stretch > 1 else values
    unknown = values[(values >= classes) & (values != IGNORE)]
    if unknown.size:
        ids, counts = np.unique(unknown, return_counts=True)
        most = int(counts.argmax())
        raise DataError(
            f"{path} holds the id {ids[most]} in {counts[most]} pixels"
            f"{f' and {ids.size - 1} more unknown ids' if ids.size > 1 else ''}, "
            f"but the classes are 0 to {classes - 1} (and 255, ignore). Correct the map or classes.json."
        )
    return values.astype(np.uint8)


def write_png(path: str | Path, array: NDArray[np.uint8]) -> None:
    """Write a label map (H, W) or an RGB picture (H, W, 3), uint8, as PNG; whole or not at all.

    Raises
    ------
    ValueError
        When `array` is neither.
    """
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"write_png takes (H, W) or (H, W, 3) uint8, not {array.shape} {array.dtype}.")
    path = Path(path)
    bgr = array if array.ndim == 2 else np.ascontiguousarray(array[..., ::-1])
    encoded = cv2.imencode(".png", bgr)[1]
    # The temporary file lies beside the target: a rename is atomic only within one file system.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(encoded.tobytes())
        Path(temporary).chmod(0o644)  # mkstemp makes files that only we can read
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError(
            "its pixels are floating point numbers without a known range; convert it to 8 or 16 bit"
        )
    if image.mode.startswith("I"):
        return _high_byte(image).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return image.convert("RGB")


def _high_byte(image: Image.Image) -> Image.Image:
    """Reduce 16 bit grey to 8 bit as Pillow itself does for 16 bit colour."""
    values: NDArray[Any] = np.array(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(
            f"its values lie in {values.min()}..{values.max()}, beyond 16 bit; convert it to 8 or 16 bit"
        )
    return Image.fromarray((values >> 8).astype(np.uint8))


def _raw_mode(image: Image.Image) -> str:
    """Return how the file stores its pixels, such as ``L;4``."""
    tiles: list[Any] = getattr(image, "tile", [])
    return str(tiles[0][3]) if tiles else ""


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its content is none of the known formats"  # Pillow's own text names a buffer, not the file
    return str(error).rstrip(".") or type(error).__name__
