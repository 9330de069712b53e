"""Any picture in, one form out: (h, w, 3) uint8 BGR, upright, opaque."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.io.containers import Container, inspect

Image = NDArray[np.uint8]
MAX_PIXELS = 200_000_000
"""Larger pictures are refused: a header can ask for gigabytes in a file of a few bytes (a decompression bomb)."""
MAX_BYTES = 1 << 30
_WANTED = "wanted a picture (JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000 or PNM)"


def read_image(source: Any) -> Image:
    """Read one picture, turned upright by its EXIF orientation.

    Grey becomes three equal channels, 16 bits are scaled to 8 (65535 -> 255, rounded), transparency is composited over
    white. Of an animation the first frame is taken.

    Args:
        source: one of
            - a path (str or Path);
            - the bytes of an encoded file (bytes, bytearray, memoryview);
            - a numpy array (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA, uint8 or uint16. An array that already
              has the wanted form is returned as it is, without a copy. Floats are refused, because their range
              (0..1 or 0..255) cannot be known;
            - a Pillow image of any mode but 'F'.

    Returns:
        (h, w, 3) uint8, blue green red.

    Raises:
        InputError: one line that says what was found, what was wanted and what to do.
    """
    if isinstance(source, str | Path):
        return _read_file(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "the given bytes")
    if isinstance(source, np.ndarray):
        return _opaque_bgr8(source, "the given array")
    # Pillow is optional: its images are known by what they offer, without importing it
    if all(hasattr(source, name) for name in ("mode", "size", "convert", "getexif")):
        return _from_pillow(source)
    raise InputError(f"found {type(source).__name__}, wanted a path, encoded bytes, a BGR array or a Pillow image")


def _read_file(source: str | Path) -> Image:
    path = Path(source)
    if str(source).lower().startswith(("http://", "https://")):
        raise InputError(f"{source} is a web address; download the picture and give the file or its bytes")
    try:
        if path.is_dir():
            raise InputError(f"{source} is a folder, wanted a picture file; give one of its files")
        if path.exists() and not path.is_file():
            raise InputError(f"{source} is a device or pipe, wanted a picture file; save the picture first")
        if path.is_file() and (size := path.stat().st_size) > MAX_BYTES:
            raise InputError(f"{source} has {size / 1e9:.1f} GB, wanted a picture of at most 1 GB; is it a video?")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{source} does not exist; check the spelling and the folder (now {Path.cwd()})") from error
    except PermissionError as error:
        raise InputError(f"{source} may not be read (permission denied); check its access rights") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return _decode(data, str(source))


def _decode(data: bytes, name: str) -> Image:
    if not data:
        raise InputError(f"{name}: empty (0 bytes), {_WANTED}; copy or download the file again")
    container = inspect(data)
    if container is None:
        raise InputError(f"{name}: found {_describe(data)}, {_WANTED}; convert it first")
    if container.damage:
        raise InputError(f"{name}: the {container.format} is unusable, {container.damage}; copy or download it again")
    if container.size is not None:
        _check_size(*container.size, name)
    pixels = _opencv_decode(data, container, name)
    # decoders that turn pictures themselves (TIFF) report orientation 1
    return _upright(_opaque_bgr8(pixels, name), container.orientation)


def _opencv_decode(data: bytes, container: Container, name: str) -> NDArray[Any]:
    try:
        with _silent_opencv():
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, MemoryError) as error:
        raise InputError(f"{name}: this {container.format} cannot be decoded (damaged, or too large)") from error
    if pixels is None:
        raise InputError(f"{name}: this {container.format} is damaged or of a kind OpenCV cannot decode; save it anew")
    return np.asarray(pixels)


def _describe(data: bytes) -> str:
    """In words, what bytes that are no picture seem to be."""
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"):
            return "a HEIC photo"
        return "a video (MP4 or MOV)"
    if data[:5] == b"%PDF-":
        return "a PDF"
    start = data[:2000]
    try:
        text = start.decode("utf-8") if len(data) <= len(start) else start[:-4].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if all(c.isprintable() or c.isspace() for c in text):
        return f"text ({' '.join(text.split())[:30]!r})"
    return f"{len(data)} bytes of no known kind (they start with {data[:4].hex(' ')})"


def _check_size(width: int, height: int, name: str) -> None:
    if width < 1 or height < 1:
        raise InputError(f"{name}: the picture is {width} x {height}, wanted at least 1 x 1 pixel; save it anew")
    if width * height > MAX_PIXELS:
        megapixels = width * height / 1e6
        raise InputError(
            f"{name}: the picture is {width} x {height} ({megapixels:.0f} megapixels), "
            f"wanted at most {MAX_PIXELS // 1_000_000} megapixels; scale it down"
        )


def _opaque_bgr8(pixels: NDArray[Any], name: str) -> Image:
    """Array of any accepted form -> (h, w, 3) uint8 BGR."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise InputError(
            f"{name}: found shape {pixels.shape}, wanted (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA"
        )
    _check_size(pixels.shape[1], pixels.shape[0], name)
    if pixels.dtype not in (np.uint8, np.uint16):
        advice = "; convert with (image * 255).astype('uint8')" if pixels.dtype.kind == "f" else ""
        raise InputError(f"{name}: found {pixels.dtype} values, wanted uint8 (0..255) or uint16 (0..65535){advice}")
    if pixels.shape[2] == 4:
        pixels = _over_white(pixels)
    if pixels.dtype == np.uint16:
        # 65535 = 255 x 257; the addition rounds to nearest
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _over_white(pixels: NDArray[Any]) -> NDArray[Any]:
    full = np.iinfo(pixels.dtype).max
    alpha = pixels[..., 3:]
    if (alpha == full).all():
        return pixels[..., :3]
    share = alpha.astype(np.float32) / full
    return np.rint(pixels[..., :3] * share + full * (1 - share)).astype(pixels.dtype)


def _upright(pixels: Image, orientation: int) -> Image:
    """Undo an EXIF orientation: 2-4 mirror or turn by 180 degrees, 5-8 also swap the axes."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    # after the swap: 5 is done, 6 mirrors x (turn clockwise), 7 both, 8 mirrors y (turn anticlockwise)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _from_pillow(picture: Any) -> Image:
    name = "the given Pillow image"
    _check_size(picture.size[0], picture.size[1], name)
    try:
        orientation = int(picture.getexif().get(0x0112, 1) or 1)
        if picture.mode.startswith(("I", "F")):
            pixels = np.asarray(picture)
            if picture.mode == "I" and pixels.min() >= 0 and pixels.max() <= 65535:
                pixels = pixels.astype(np.uint16)  # how older Pillow opens 16-bit PNG
        elif picture.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
            pixels = np.asarray(picture.convert("RGBA"))[..., [2, 1, 0, 3]]
        else:
            pixels = np.asarray(picture.convert("RGB"))[..., ::-1]
    except (OSError, ValueError, SyntaxError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"{name} cannot be read ({line}); open it again from a whole file") from error
    return _upright(_opaque_bgr8(pixels, name), orientation)


_log_lock = threading.Lock()
_log_state = {"users": 0, "level": 0}


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """No OpenCV log lines on stderr meanwhile; counted, so that threads may decode side by side."""
    logging = getattr(getattr(cv2, "utils", None), "logging", None)
    if logging is None:
        yield
        return
    with _log_lock:
        if _log_state["users"] == 0:
            _log_state["level"] = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        _log_state["users"] += 1
    try:
        yield
    finally:
        with _log_lock:
            _log_state["users"] -= 1
            if _log_state["users"] == 0:
                logging.setLogLevel(_log_state["level"])
