"""What the bytes of a picture file say before it is decoded: format, size, orientation and whether all is there.

OpenCV decodes a JPEG that was cut short to a picture with a grey bottom (some versions), allocates whatever size the
header asks for, and ignores EXIF in the mode that keeps transparency. So these are read here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Container:
    """The outside of an encoded picture.

    Args:
        format: 'JPEG', 'PNG', ...
        size: width and height in pixels as stored, or None where the header was not understood.
        orientation: EXIF value 1 to 8 that is still to be applied after `cv2.IMREAD_UNCHANGED`.
        damage: what is wrong with the bytes, or None.
    """

    format: str
    size: tuple[int, int] | None = None
    orientation: int = 1
    damage: str | None = None


def inspect(data: bytes) -> Container | None:
    """The container of encoded bytes; None when they are no picture format we know."""
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return Container("GIF", _unpack("<HH", data, 6), damage=None if b"\x3b" in data[-64:] else "it is cut short")
    if data[:2] == b"BM" and len(data) >= 26:
        width_height = _unpack("<ii", data, 18)
        return Container("BMP", width_height and (abs(width_height[0]), abs(width_height[1])))
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        # OpenCV turns TIFF itself in every mode
        return Container("TIFF", _tiff_size(data))
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return Container("AVIF", _unpack(">II", data, data.find(b"ispe") + 8) if b"ispe" in data else None)
    if data[:12] == b"\0\0\0\x0cjP  \r\n\x87\n":
        high_wide = _unpack(">II", data, data.find(b"ihdr") + 4) if b"ihdr" in data else None
        return Container("JPEG 2000", high_wide and (high_wide[1], high_wide[0]))
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return Container("PNM", _pnm_size(data))
    return None


def exif_orientation(tiff: bytes) -> int:
    """Orientation 1 to 8 of an EXIF block (a TIFF header and its first directory); 1 where it says nothing valid."""
    value = _tiff_tags(tiff.removeprefix(b"Exif\0\0")).get(0x0112, 1)
    return value if 1 <= value <= 8 else 1


def _unpack(layout: str, data: bytes, offset: int) -> tuple[int, int] | None:
    if offset + struct.calcsize(layout) > len(data):
        return None
    first, second = struct.unpack_from(layout, data, offset)
    return int(first), int(second)


def _jpeg(data: bytes) -> Container:
    size, orientation, at = None, 1, 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # fill bytes and markers without a body
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            high_wide = _unpack(">HH", data, at + 5)
            size = high_wide and (high_wide[1], high_wide[0])
        elif marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = exif_orientation(data[at + 4 : at + 2 + length])
        elif marker == 0xDA:
            # inside the scan 0xFF is always stuffed, so the first FF D9 is the end of the picture and no thumbnail's
            whole = data.find(b"\xff\xd9", at + 2 + length) >= 0
            return Container("JPEG", size, orientation, None if whole else "it is cut short (no end marker)")
        at += 2 + length
    return Container("JPEG", size, orientation, "it is cut short or damaged (no picture data after the header)")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Name, body and whether the check sum is right, of each whole chunk."""
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 12 + length
        if end > len(data):
            return
        checked = zlib.crc32(memoryview(data)[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
        yield data[at + 4 : at + 8], data[at + 8 : end - 4], checked
        at = end


def _png(data: bytes) -> Container:
    size, orientation, damage = _unpack(">II", data, 16), 1, "it is cut short (no IEND chunk)"
    for name, body, checked in _png_chunks(data):
        if not checked and name[:1].isupper():
            return Container("PNG", size, orientation, f"its {name!r:.12} chunk has a wrong check sum")
        if name == b"eXIf":
            orientation = exif_orientation(body)
        if name == b"IEND":
            return Container("PNG", size, orientation)
    return Container("PNG", size, orientation, damage)


def _webp(data: bytes) -> Container:
    # some writers leave out the padding byte at the very end
    promised = int.from_bytes(data[4:8], "little") + 8
    damage = f"it is cut short ({len(data)} of {promised} bytes)" if len(data) + 1 < promised else None
    size, orientation, at = None, 1, 12
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + min(length, 64 if name != b"EXIF" else length)]
        if name == b"EXIF":
            orientation = exif_orientation(body)
        elif size is None and name in (b"VP8X", b"VP8 ", b"VP8L"):
            size = _webp_size(name, body)
        at += 8 + length + length % 2
    return Container("WebP", size, orientation, damage)


def _webp_size(name: bytes, body: bytes) -> tuple[int, int] | None:
    if len(body) < 10:
        return None
    if name == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _tiff_tags(data: bytes) -> dict[int, int]:
    """Tags of the first directory that hold one small whole number (classic TIFF)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return {}
    (at,) = struct.unpack_from(order + "I", data, 4)
    if at + 2 > len(data):
        return {}
    (entries,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for entry in range(at + 2, min(at + 2 + 12 * entries, len(data) - 11), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        if count == 1 and kind in (3, 4):
            tags[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)[0]
    return tags


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    tags = _tiff_tags(data)
    return (tags[256], tags[257]) if 256 in tags and 257 in tags else None


def _pnm_size(data: bytes) -> tuple[int, int] | None:
    lines = (line.split(b"#")[0] for line in data[2:1024].splitlines())
    numbers = [token for line in lines for token in line.split()][:2]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 and all(n.isdigit() for n in numbers) else None
