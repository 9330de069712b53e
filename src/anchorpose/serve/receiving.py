"""A video from the network to the job's folder, and what it is."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from anchorpose.serve.errors import ServiceError
from anchorpose.serve.probe import HEAD, suffix_of
from anchorpose.serve.uploads import Upload

_PROBE_SECONDS = 60.0
_BLOCK = 1 << 20


async def store_video(upload: Upload, folder: Path) -> Path:
    """Writes an upload to a file whose suffix tells the container; the event loop never waits for the disk.

    Raises:
        ServiceError: 415 no video that is taken; or as `Upload.chunks`.
        OSError: the disk refuses.
    """
    path, suffix, block = folder / "upload", "", bytearray()
    with open(path, "wb") as file:
        async for chunk in upload.chunks():
            block += chunk
            if len(block) >= _BLOCK:
                suffix = suffix or _suffix(bytes(block[:HEAD]))
                await asyncio.to_thread(file.write, bytes(block))
                block.clear()
        suffix = suffix or _suffix(bytes(block[:HEAD]))
        await asyncio.to_thread(file.write, bytes(block))
    return path.rename(path.with_name(f"input{suffix}"))


async def probe_video(path: Path, megapixels: float) -> dict[str, Any]:
    """What `probe.probe` says of a video. Another process looks, since a hostile one may crash or hang it.

    Raises:
        ServiceError: 422 it cannot be decoded, 413 its frames are too large.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "anchorpose.serve.probe", path.name, str(megapixels), cwd=path.parent,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            output, _ = await process.communicate()
        found: dict[str, Any] = json.loads(output)
    except (TimeoutError, ValueError):
        found = {"error": "it cannot be read; check it with a player, or convert it"}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if "error" in found:
        raise ServiceError(422, "damaged", f"the video is unusable: {found['error']}")
    if found["width"] * found["height"] > megapixels * 1e6:
        raise ServiceError(413, "too_many_pixels", f"the video is {found['width']} x {found['height']}, wanted at most "
                           f"{megapixels:g} megapixels; scale it down")  # fmt: skip
    return found


def _suffix(head: bytes) -> str:
    suffix = suffix_of(head)
    if suffix is None:
        raise ServiceError(415, "unsupported_video", "found no video, wanted MP4, MOV, WebM, MKV, AVI, MPEG, OGG, FLV "
                           "or WMV; convert it first")  # fmt: skip
    return suffix
