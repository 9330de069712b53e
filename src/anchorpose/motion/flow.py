"""Joints of the last frame moved into this one by dense optical flow (SimpleBaseline, Xiao et al., ECCV 2018)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError

Floats = NDArray[np.floating]
_NARROWEST = 16


@dataclass(frozen=True)
class SmallFrame:
    """A picture reduced for the flow: (h, w) uint8 grey, and the (2,) scale from the picture's pixels to its own."""

    grey: NDArray[np.uint8]
    scale: tuple[float, float]

    @classmethod
    def of(cls, image: NDArray[np.uint8], longer_side: int) -> SmallFrame:
        """Reduce a (h, w, 3) uint8 BGR picture to at most `longer_side` pixels; smaller ones keep their size.

        By a whole factor, which is many times faster; the last rows and columns that fill no pixel are left out.
        Narrow pictures stay larger: the flow needs 16 pixels.
        """
        height, width = image.shape[:2]
        factor = max(1, min(-(-max(height, width) // longer_side), min(height, width) // _NARROWEST))
        used = image[: height // factor * factor, : width // factor * factor]
        size = max(_NARROWEST, width // factor), max(_NARROWEST, height // factor)
        grey = cv2.resize(cv2.cvtColor(used, cv2.COLOR_BGR2GRAY), size, interpolation=cv2.INTER_AREA)
        return cls(np.asarray(grey, np.uint8), (size[0] / used.shape[1], size[1] / used.shape[0]))

    def to_dict(self) -> dict[str, Any]:
        """The picture as PNG in base64, for JSON."""
        png = cv2.imencode(".png", self.grey)[1].tobytes()
        return {"png": base64.b64encode(png).decode("ascii"), "scale": list(self.scale)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SmallFrame:
        """Inverse of `to_dict`; InputError for anything else."""
        try:
            raw = np.frombuffer(base64.b64decode(str(data["png"]), validate=True), np.uint8)
            grey = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE) if len(raw) else None
            x, y = data["scale"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"found a damaged picture in the tracker's state ({error}); start a new one") from None
        if grey is None:
            raise InputError("found a damaged picture in the tracker's state; start a new one")
        return cls(np.asarray(grey, np.uint8), (float(x), float(y)))


def propagate(before: SmallFrame, now: SmallFrame, joints2d: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Where joints of the last frame are in this one.

    Args:
        before, now: the two pictures, of one size.
        joints2d: (n, J, 2) pixels of the original picture, in the last frame; NaN where missing.
        visible: (n, J) which of them show their own person. Flow at a hidden joint belongs to whoever hides it, so
            the others move by the median of these.

    Returns:
        (n, J, 2) pixels; NaN for people of whom nothing is visible in the picture, or between pictures of two sizes.
    """
    if before.grey.shape != now.grey.shape or not len(joints2d):
        return np.full(joints2d.shape, np.nan)
    dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    moves = dis.calc(before.grey, now.grey, None)
    height, width = before.grey.shape
    scale = np.array(before.scale)
    place = np.floor(np.nan_to_num(joints2d, nan=-1.0) * scale).astype(np.int64)
    used = visible & ((place >= 0) & (place < [width, height])).all(-1)
    column, row = np.where(used, place[..., 0], 0), np.where(used, place[..., 1], 0)
    own = np.where(used[..., None], moves[row, column] / scale, np.nan)
    result = np.full(joints2d.shape, np.nan)
    seen = used.any(1)
    if seen.any():
        whole = median_step(own[seen])[:, None]
        result[seen] = joints2d[seen] + np.where(np.isnan(own[seen]), whole, own[seen])
    return result


def median_step(steps: Floats) -> NDArray[np.float64]:
    """(n, J, 2) -> (n, 2) medians over the joints that have both numbers; NaN where none has.

    As numpy's nanmedian, which spends more on masks than on numbers for a few people.
    """
    ordered = np.sort(np.where(np.isfinite(steps).all(-1, keepdims=True), steps, np.nan), axis=1)  # NaN comes last
    row, count = np.arange(len(steps)), np.isfinite(ordered[..., 0]).sum(1)
    return np.asarray((ordered[row, (count - 1) // 2] + ordered[row, count // 2]) / 2, np.float64)
