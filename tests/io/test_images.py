from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.io import images
from anchorpose.io.containers import inspect
from anchorpose.io.images import read_image

PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "000000090284.jpg"
ORIENTED = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2) * 40


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) % 256], -1).astype(np.uint8)


def encoded(suffix: str, image: np.ndarray | None = None) -> bytes:
    image = picture() if image is None else image
    if suffix == ".gif" and not cv2.haveImageWriter("a.gif"):  # OpenCV before 4.11
        file = io.BytesIO()
        pytest.importorskip("PIL.Image").fromarray(np.ascontiguousarray(image[..., ::-1])).save(file, "GIF")
        return file.getvalue()
    return cv2.imencode(suffix, image)[1].tobytes()


def message(source: object) -> str:
    with pytest.raises(InputError) as caught:
        read_image(source)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 300
    return line


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_files_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"grün 1{suffix}"
    path.write_bytes(encoded(suffix))
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes())):
        np.testing.assert_array_equal(read_image(source), picture())


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".jp2"])
def test_lossy_files(suffix: str) -> None:
    assert np.abs(read_image(encoded(suffix)).astype(int) - picture()).mean() < 12


def test_photograph() -> None:
    assert read_image(PHOTO).shape == (511, 512, 3)


def test_grey_and_one_pixel_and_wide() -> None:
    grey = picture()[..., 0]
    np.testing.assert_array_equal(read_image(encoded(".png", grey)), grey[..., None].repeat(3, 2))
    np.testing.assert_array_equal(read_image(encoded(".png", picture(1, 1))), picture(1, 1))
    assert read_image(encoded(".jpg", picture(1, 1))).shape == (1, 1, 3)
    assert read_image(encoded(".jpg", picture(30, 12_000))).shape == (30, 12_000, 3)


def test_sixteen_bits_scale_to_eight() -> None:
    levels = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    for source in (encoded(".png", levels), encoded(".tif", levels), levels):
        np.testing.assert_array_equal(read_image(source)[0, :, 0], [0, 0, 1, 1, 128, 255])


def test_transparency_goes_over_white() -> None:
    bgra = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], np.uint8)
    wanted = [[[10, 20, 30], [255, 255, 255], [204, 224, 244]]]
    for source in (encoded(".png", bgra), bgra, bgra.astype(np.uint16) * 257):
        np.testing.assert_array_equal(read_image(source), wanted)


def test_arrays() -> None:
    image = picture()
    assert read_image(image) is image
    np.testing.assert_array_equal(read_image(image[..., :1]), read_image(image[..., 0]))
    assert read_image(image[:, ::-1]).flags.c_contiguous
    assert "float64" in message(image / 255)
    assert "astype('uint8')" in message(image / 255)
    assert "int64" in message(image.astype(np.int64))
    assert "(2, 40, 60, 3)" in message(np.stack([image, image]))
    assert "0 x 0" in message(np.zeros((0, 0, 3), np.uint8))
    assert "list" in message([[1, 2]])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind: str, orientation: int) -> None:
    image_module = pytest.importorskip("PIL.Image")
    ops = pytest.importorskip("PIL.ImageOps")
    exif = image_module.Exif()
    exif[0x0112] = orientation
    stored = image_module.fromarray(np.kron(ORIENTED, np.ones((8, 8, 1), np.uint8)))
    file = io.BytesIO()
    stored.save(file, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    opened = image_module.open(io.BytesIO(file.getvalue()))
    wanted = np.asarray(ops.exif_transpose(opened).convert("RGB"))[..., ::-1].astype(int)
    for source in (file.getvalue(), image_module.open(io.BytesIO(file.getvalue()))):
        if kind == "TIFF" and not isinstance(source, bytes):
            continue  # Pillow turns TIFF while loading since version 10
        found = read_image(source)
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_pillow_modes(mode: str) -> None:
    image_module = pytest.importorskip("PIL.Image")
    white = image_module.new("RGB", (3, 2), "white")
    source = image_module.new(mode, (3, 2), 65535) if mode == "I;16" else white.convert(mode)
    np.testing.assert_array_equal(read_image(source), np.full((2, 3, 3), 255))


def test_pillow_colours_and_transparency() -> None:
    image_module = pytest.importorskip("PIL.Image")
    np.testing.assert_array_equal(read_image(image_module.new("RGB", (1, 1), (1, 2, 3))), [[[3, 2, 1]]])
    np.testing.assert_array_equal(read_image(image_module.new("RGBA", (1, 1), (1, 2, 3, 0))), [[[255, 255, 255]]])
    assert "float32" in message(image_module.new("F", (2, 2)))
    whole = encoded(".jpg", picture(200, 200))
    assert "Pillow" in message(image_module.open(io.BytesIO(whole[: len(whole) // 2])))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".gif", ".jp2"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.98])
def test_truncated_files_are_refused(
    tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    whole = encoded(suffix, cv2.GaussianBlur(noise, (0, 0), 2))
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    line = message(path)
    assert str(path) in line
    assert "cut short" in line or suffix not in (".jpg", ".png", ".webp")
    if suffix in (".jpg", ".png", ".webp"):
        assert capfd.readouterr().err == ""


def test_truncated_jpeg_with_a_whole_thumbnail_is_refused() -> None:
    thumbnail = encoded(".jpg", picture(8, 8))
    whole = encoded(".jpg", picture(100, 100))
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    assert read_image(whole[:2] + segment + whole[2:]).shape == (100, 100, 3)
    assert "cut short" in message(whole[:2] + segment + whole[2:-200])


def test_bytes_after_the_end_do_no_harm() -> None:
    for suffix in (".jpg", ".png", ".webp"):
        assert read_image(encoded(suffix) + b"\0" * 1000).shape == (40, 60, 3)


def test_png_with_a_flipped_bit(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 0x10
    assert "check sum" in message(bytes(data))
    assert capfd.readouterr().err == ""


def test_what_is_no_picture(tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("shopping:\nmilk, bréad")
    assert "found text ('shopping: milk, bréad')" in message(text)
    empty = tmp_path / "empty.png"
    empty.touch()
    assert "0 bytes" in message(empty)
    assert "does not exist" in message(tmp_path / "absent.jpg")
    assert "is a folder" in message(tmp_path)
    assert "web address" in message("https://example.org/a.jpg")
    assert "video" in message(b"\0\0\0\x20ftypisom" + b"\0" * 40)
    assert "HEIC" in message(b"\0\0\0\x20ftypheic" + b"\0" * 40)
    assert "PDF" in message(b"%PDF-1.7 \xff")
    assert "no known kind" in message(b"\x00\xfe\x12\x99" * 9)
    assert "device" in message("/dev/zero")
    assert message("a\0b.jpg").endswith("cannot be read: embedded null byte")


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"RIFF\x10\0\0\0WEBP", "WebP"), (b"BM", "BMP"),
     (b"GIF89a", "GIF"), (b"II*\0", "TIFF"), (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
     (b"\0\0\0\x20ftypavif", "AVIF"), (b"P6\n", "PNM")],
)  # fmt: skip
@pytest.mark.parametrize("rest", [b"", b"\0", b"\xff" * 40, b"\x01\x02" * 60])
def test_headers_followed_by_rubbish(start: bytes, kind: str, rest: bytes) -> None:
    line = message(start + rest)
    if kind == "BMP" and len(rest) < 2:  # too short to tell from text that begins with BM
        assert "wanted a picture" in line
    elif "megapixels" not in line:  # what a header of rubbish may ask for
        assert f"the {kind} is unusable" in line or f"this {kind} is damaged" in line


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.jpg"
    path.write_bytes(encoded(".jpg"))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    if os.geteuid() == 0:  # root may read everything
        monkeypatch.setattr(Path, "read_bytes", refuse)
    else:
        path.chmod(0)
    assert "permission denied" in message(path)


def png_of_size(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_decompression_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "100000 x 100000 (10000 megapixels)" in message(png_of_size(100_000, 100_000))
    assert "0 x 5" in message(png_of_size(0, 5))
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    for suffix in (".jpg", ".png", ".webp", ".bmp", ".tif", ".gif", ".jp2", ".ppm"):
        assert "60 x 40" in message(encoded(suffix)), suffix
    assert "60 x 40" in message(picture())


def test_opencv_own_limit_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("Image is too large\nin function validateInputImageSize")

    monkeypatch.setattr(cv2, "imdecode", refuse)
    assert "cannot be decoded" in message(encoded(".jpg"))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".gif", ".jp2", ".ppm"])
def test_size_is_read_from_the_header(suffix: str) -> None:
    container = inspect(encoded(suffix))
    assert container is not None
    assert container.size == (60, 40)
    assert container.damage is None
