"""One picture from its bytes to the answer. Strangers' bytes: what they ask for is read before anything is decoded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.io.containers import inspect
from anchorpose.io.formats import to_anchorpose, to_coco, to_openpose
from anchorpose.io.images import read_image
from anchorpose.io.overlay import draw_overlay
from anchorpose.serve.errors import ServiceError

Image = NDArray[np.uint8]
Form = Literal["anchorpose", "coco", "openpose"]
MediaType = Literal["application/json", "image/jpeg", "image/png"]
MEDIA_TYPES: tuple[MediaType, ...] = ("application/json", "image/jpeg", "image/png")
TAKEN = {"JPEG": "image/jpeg", "PNG": "image/png", "WebP": "image/webp"}
"""Fewer than `io.images` reads: the decoders of the others are tried less by strangers."""
_MOST_SCANS = 64
"""Of a JPEG. A file of a few megabytes can hold so many passes over the whole picture that it takes hours."""
_QUALITY = 92


@dataclass(frozen=True)
class DetectOptions:
    """What a request may choose; None is the service's own.

    Args:
        fov: degrees along the longer side. min_score: of people, above the service's. max_side: pixels.
    """

    fov: float | None = None
    min_score: float | None = None
    max_side: int | None = None


Estimate = Callable[[Image, DetectOptions, bool], Poses]
"""Picture, options and whether nothing else runs -> people."""


def check_picture(data: bytes, megapixels: float) -> None:
    """Passes what may be decoded.

    Raises:
        ServiceError: 415 no picture that is taken, 413 too many pixels, 422 damaged.
    """
    container = inspect(data)
    if container is None or container.format not in TAKEN:
        found = "no picture" if container is None else container.format
        raise ServiceError(415, "unsupported_picture", f"found {found}, wanted {', '.join(TAKEN)}; convert it first")
    if container.damage:
        raise ServiceError(422, "damaged", f"the {container.format} is unusable, {container.damage}; send it again")
    if container.size is None or min(container.size) < 1:
        raise ServiceError(422, "damaged", f"the {container.format} does not tell its size; save it anew")
    width, height = container.size
    if width * height > megapixels * 1e6:
        raise ServiceError(413, "too_many_pixels", f"the picture is {width} x {height}, wanted at most {megapixels:g} "
                           "megapixels; scale it down")  # fmt: skip
    if container.format == "JPEG" and data.count(b"\xff\xda") > _MOST_SCANS:
        raise ServiceError(422, "damaged", "the JPEG has more scans than any camera writes; save it anew")


def decode(data: bytes, megapixels: float) -> Image:
    """(h, w, 3) BGR of a picture; ServiceError as `check_picture`, 422 also where decoding fails."""
    check_picture(data, megapixels)
    try:
        return read_image(data)
    except InputError as error:
        raise ServiceError(422, "damaged", str(error)) from None


def answer(image: Image, poses: Poses, name: str, form: Form, media_type: MediaType) -> bytes:
    """The body of an answer: JSON, or the picture with the people drawn in."""
    if media_type != "application/json":
        suffix, flags = (".png", []) if media_type == "image/png" else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        try:
            done, encoded = cv2.imencode(suffix, draw_overlay(image, poses), flags)
        except cv2.error:
            done = False
        if not done:
            raise ServiceError(406, "not_acceptable", f"a picture of {image.shape[1]} x {image.shape[0]} is too large "
                               f"for {media_type}; take image/png or JSON")  # fmt: skip
        return encoded.tobytes()
    results = [(name or "image", poses)]
    data: Any
    if form == "coco":
        data = to_coco(results, {name or "image": 1})
    elif form == "openpose":
        data = to_openpose(poses)
    else:
        data = to_anchorpose(results)
    return to_json(data)


def to_json(data: Any) -> bytes:
    """UTF-8 without NaN, as small as it gets."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def choose(accept: str) -> MediaType:
    """The form of answer that an Accept header likes best; JSON where it does not care.

    Raises:
        ServiceError: 406, it takes none of ours.
    """
    best: tuple[float, MediaType] | None = None
    ranges = [_range(part) for part in (accept or "*/*").split(",")]
    for media_type in MEDIA_TYPES:
        # the most exact range that names it decides (RFC 9110, 12.5.1)
        fitting = [(pattern.count("*"), -q) for pattern, q in ranges if _matches(pattern, media_type)]
        quality = -min(fitting)[1] if fitting else 0.0
        if quality > 0 and (best is None or quality > best[0]):
            best = quality, media_type
    if best is None:
        raise ServiceError(406, "not_acceptable", f"found Accept {accept[:100]!r}, wanted {', '.join(MEDIA_TYPES)}")
    return best[1]


def _range(text: str) -> tuple[str, float]:
    pattern, *parameters = [part.strip().lower() for part in text.split(";")]
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return pattern, quality if quality == quality else 0.0


def _matches(pattern: str, media_type: str) -> bool:
    kind = media_type.partition("/")[0]
    return pattern in (media_type, f"{kind}/*", "*/*")
