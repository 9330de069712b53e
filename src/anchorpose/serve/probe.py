"""`python -m anchorpose.serve.probe FILE`: what a stranger's video is, found out in a process that may crash or hang.

FFmpeg also opens lists of other files and addresses (HLS, DASH, concat). A service that opened those would read files
and fetch addresses for whoever asks, so only containers that hold their own pictures pass.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from anchorpose.core.errors import InputError

_FORMATS = {".mp4": "mov,mp4,m4a,3gp,3g2,mj2", ".mkv": "matroska,webm", ".avi": "avi", ".ts": "mpegts",
            ".mpg": "mpeg", ".ogv": "ogg", ".flv": "flv", ".wmv": "asf"}  # fmt: skip
"""Suffix of our file, and FFmpeg's name of the demuxer that must take it."""
HEAD = 1024
"""Bytes that `suffix_of` needs."""
_LISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<AssetMap")
_CPU_SECONDS = 30


def suffix_of(head: bytes) -> str | None:
    """The suffix for a video that begins with these bytes; None where it is no container that is taken."""
    if any(word.lower() in head.lower() for word in _LISTS):
        return None
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return ".mp4"
    starts = {b"\x1a\x45\xdf\xa3": ".mkv", b"OggS": ".ogv", b"FLV\x01": ".flv", b"\0\0\x01\xba": ".mpg",
              b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": ".wmv"}  # fmt: skip
    for start, suffix in starts.items():
        if head.startswith(start):
            return suffix
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return ".avi"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return ".ts"
    return None


def probe(path: Path, megapixels: float) -> dict[str, Any]:
    """width, height (upright), fps, frames and seconds of a video, None where it does not tell.

    One that has more than `megapixels` is not decoded.

    Raises:
        InputError: it is no video that is taken, or nothing in it can be decoded.
    """
    from anchorpose.io.video.decoding import duration, open_container
    from anchorpose.io.video.files import FileReader
    from anchorpose.io.video.frames import Part

    with path.open("rb") as file:
        suffix = suffix_of(file.read(HEAD))
    if suffix is None or suffix != path.suffix:
        raise InputError("found no video, wanted MP4, MOV, WebM, MKV, AVI, MPEG, OGG, FLV or WMV; convert it first")
    with open_container(str(path)) as container:
        if container.format.name != _FORMATS[suffix]:
            raise InputError(f"found {container.format.name}, which it does not begin as; convert it first")
        stream = container.streams.video[0]
        seconds = duration(container, stream)
        if stream.width * stream.height > megapixels * 1e6:  # refused by its size, without decoding
            return {"width": stream.width, "height": stream.height, "fps": None, "frames": None, "seconds": seconds}
    reader = FileReader(str(path), Part(1, 0.0, None))  # decodes the first frame
    info = reader.info
    return {"width": info.width, "height": info.height, "fps": info.fps, "frames": info.frames, "seconds": seconds}


def main(arguments: list[str]) -> int:
    """Prints one line of JSON; 2 and {"error": ...} for what is no video."""
    with suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    try:
        print(json.dumps(probe(Path(arguments[0]), float(arguments[1])), allow_nan=False))
    except InputError as error:
        print(json.dumps({"error": str(error)}))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
