from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tenth.errors import DataError, OutOfReach, UnreadableFile
from tenth.segmentation.images import read_image, read_labels, write_png

Pixels = NDArray[np.uint8]


@pytest.fixture
def picture() -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()  # one store for the whole process: other tests write there, too
    yield filesystem
    filesystem.store.clear()


@pytest.mark.parametrize(
    ("name", "options"), [("a.png", {}), ("a.tiff", {}), ("a.TIF", {}), ("a.webp", {"lossless": True})]
)
def test_lossless_formats_give_every_pixel_back(
    tmp_path: Path, picture: Pixels, name: str, options: dict[str, bool]
) -> None:
    Image.fromarray(picture).save(tmp_path / name, **options)
    assert np.array_equal(read_image(tmp_path / name), picture)


def test_jpeg_comes_back_closely(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], (48, 1, 3))
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - smooth).max() <= 6


# What each EXIF orientation means for the stored rows and columns, from the specification (tag 0x0112).
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_pictures_are_turned_as_their_exif_says(tmp_path: Path, picture: Pixels, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), UPRIGHT[orientation](picture))
    blocks = np.kron(picture, np.ones((16, 16, 1), np.uint8))  # large flat blocks survive JPEG
    Image.fromarray(blocks).save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    seen = read_image(tmp_path / "a.jpg")[8::16, 8::16].astype(int)
    assert np.abs(seen - UPRIGHT[orientation](picture)).max() <= 8


def test_transparent_pixels_are_laid_over_black(tmp_path: Path) -> None:
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    seen = read_image(tmp_path / "a.png")
    assert seen[0, 0].tolist() == [200, 100, 50]
    assert seen[0, 1].tolist() == [0, 0, 0]
    assert np.abs(seen[0, 2].astype(int) - [100, 50, 25]).max() <= 1


def test_a_palette_with_a_transparent_entry(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png", transparency=1)
    assert read_image(tmp_path / "a.png").tolist() == [[[10, 20, 30], [0, 0, 0]]]


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bits_keep_the_high_byte(tmp_path: Path, name: str) -> None:
    grey = np.array([[0, 255, 256, 0x8000, 0xFFFF]], np.uint16)
    cv2.imwrite(str(tmp_path / name), grey)
    assert read_image(tmp_path / name)[0, :, 1].tolist() == [0, 0, 1, 128, 255]
    colour = np.zeros((1, 2, 3), np.uint16)
    colour[0, 1] = (0x1100, 0x2200, 0x3300)  # blue, green, red
    cv2.imwrite(str(tmp_path / name), colour)
    assert read_image(tmp_path / name)[0, 1].tolist() == [0x33, 0x22, 0x11]


def test_grey_and_cmyk_become_rgb(tmp_path: Path) -> None:
    Image.fromarray(np.array([[7, 9]], np.uint8)).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").tolist() == [[[7, 7, 7], [9, 9, 9]]]
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.tiff")
    assert read_image(tmp_path / "cmyk.tiff")[0, 0].tolist() == [255, 0, 0]


def test_floating_point_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(DataError, match=r"a\.tiff.*floating point"):
        read_image(tmp_path / "a.tiff")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff"])
def test_a_file_cut_in_half_is_named(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        read_image(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"no picture", b"GIF89a", b"<svg/>", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.jpg"):
        read_image(tmp_path / "a.jpg")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damaged_files_raise_nothing_but_data_errors(tmp_path: Path, data: st.DataObject) -> None:
    stream = io.BytesIO()
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP"]))
    Image.fromarray(np.full((9, 9), 5, np.uint8)).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (read_image, lambda source: read_labels(source, 12)):
        try:
            assert read(path).dtype == np.uint8
        except DataError as error:
            assert "a.png" in str(error)


def test_a_storage_out_of_reach_is_no_broken_file(
    memory: fsspec.AbstractFileSystem, outage: str, tmp_path: Path, picture: Pixels
) -> None:
    """What reads many pictures skips those that are missing or broken, but goes no further in an outage."""
    memory.pipe("/drive/broken.png", b"no picture")
    for read in (read_image, lambda source: read_labels(source, 12)):
        for url in ("memory://drive/none.png", "memory://drive/broken.png", tmp_path / "none.png"):
            with pytest.raises(UnreadableFile):
                read(url)
        with pytest.raises(OutOfReach, match=r"outage://a\.png.* token has expired\. Check the conn"):
            read(f"{outage}a.png")


def test_missing_files_folders_and_unknown_protocols(tmp_path: Path) -> None:
    for source in (tmp_path / "none.png", "memory://none.png", str(tmp_path), "nonsense://a.png"):
        with pytest.raises(DataError, match=str(source).replace(".", r"\.")):
            read_image(source)


def test_pictures_come_from_urls_too(
    memory: fsspec.AbstractFileSystem, tmp_path: Path, picture: Pixels
) -> None:
    write_png(tmp_path / "a.png", picture)
    memory.pipe("/drive/a.png", (tmp_path / "a.png").read_bytes())
    assert np.array_equal(read_image("memory://drive/a.png"), picture)
    assert np.array_equal(read_image(f"file://{tmp_path}/a.png"), picture)


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (3, 4, 3)])
def test_written_png_is_read_back_exactly(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    write_png(tmp_path / "a.png", array)
    back = read_labels(tmp_path / "a.png", 255) if array.ndim == 2 else read_image(tmp_path / "a.png")
    assert np.array_equal(back, array)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "a.png", np.ones((2, 2), np.uint8))

    def fail(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert read_labels(tmp_path / "a.png", 2).tolist() == [[1, 1], [1, 1]]


def test_other_arrays_are_not_written(tmp_path: Path) -> None:
    for array in (np.zeros((2, 2), np.int32), np.zeros((2, 2, 4), np.uint8), np.zeros(3, np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            write_png(tmp_path / "a.png", array)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["L", "P"])
def test_label_maps_are_ids_whatever_their_colours(tmp_path: Path, mode: str) -> None:
    ids = np.array([[0, 1, 2], [11, 255, 3]], np.uint8)
    image = Image.fromarray(ids)
    if mode == "P":
        image.putpalette(list(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tolist()))
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png", 12), ids)


@pytest.mark.parametrize(("bits", "top"), [(1, 1), (2, 3), (4, 15)])
def test_few_bits_a_pixel_are_ids_too(tmp_path: Path, bits: int, top: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_grey_png(np.array([[0, 1, top, 1]], np.uint8), bits))
    assert read_labels(path, 16).tolist() == [[0, 1, top, 1]]


def _grey_png(ids: Pixels, bits: int) -> bytes:
    """A grey PNG of 1, 2 or 4 bits, which no library here writes."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b""
    for row in ids:
        packed = "".join(f"{value:0{bits}b}" for value in row)
        packed += "0" * (-len(packed) % 8)
        rows += b"\0" + bytes(int(packed[i : i + 8], 2) for i in range(0, len(packed), 8))
    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sixteen_bit_label_maps_keep_their_values(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 5, 255]], np.uint16))
    assert read_labels(tmp_path / "a.png", 6).tolist() == [[0, 5, 255]]
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 5, 300, 300]], np.uint16))
    with pytest.raises(DataError, match="id 300 in 2 pixels"):
        read_labels(tmp_path / "a.png", 6)


def test_unknown_ids_are_counted(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.array([[0, 1, 2, 3], [3, 3, 255, 0]], np.uint8))
    with pytest.raises(DataError, match=r"a\.png holds the id 3 in 3 pixels and 1 more unknown ids.*0 to 1"):
        read_labels(tmp_path / "a.png", 2)
    assert read_labels(tmp_path / "a.png", 4).max() == 255


def test_colour_pictures_and_jpegs_are_no_label_maps(tmp_path: Path, picture: Pixels) -> None:
    write_png(tmp_path / "a.png", picture)
    with pytest.raises(DataError, match=r"a\.png is a colour picture"):
        read_labels(tmp_path / "a.png", 12)
    Image.fromarray(picture[..., 0]).save(tmp_path / "b.jpg")
    with pytest.raises(DataError, match=r"b\.jpg.*PNG"):
        read_labels(tmp_path / "b.jpg", 12)
