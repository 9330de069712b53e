"""A webcam, through OpenCV."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.io.video.frames import Part, VideoFrame, VideoInfo


class WebcamReader:
    """Reads a camera of this computer; times are seconds since its first frame.

    Args:
        device: its number, or what OpenCV takes for it, such as /dev/video0.
        part: which frames; the camera runs on until the start.

    Raises:
        InputError: there is no such camera, or it gives no picture.
    """

    def __init__(self, device: int | str, part: Part) -> None:
        self._part, self.damaged = part, 0
        self._name = f"webcam {device}" if isinstance(device, int) else device
        self._stopped = threading.Event()
        self._lost = False
        self._camera = cv2.VideoCapture(device)
        done, image = self._camera.read()
        if not done or image is None:
            self._camera.release()
            raise InputError(f"{self._name} gives no picture; check that it is there, not in use, and that you may "
                             "read it")  # fmt: skip
        self._image = np.asarray(image, np.uint8)
        rate = self._camera.get(cv2.CAP_PROP_FPS)
        fps = float(rate) if 0 < rate <= 1000 else None
        height, width = self._image.shape[:2]
        frames = part.count(None, fps) if part.end is not None else None
        self.info = VideoInfo(self._name, "webcam", width, height, fps, frames, live=True)

    def frames(self) -> Iterator[VideoFrame]:
        """The wanted frames, once."""
        first = time.monotonic()
        number, now, done = -1, 0.0, True
        try:
            while done and not self._stopped.is_set() and not self._part.is_over(now):
                if now >= self._part.start:
                    number += 1
                    if number % self._part.stride == 0:
                        yield VideoFrame(number, now, self._image)
                done, image = self._camera.read()
                if done:
                    self._image = np.asarray(image, np.uint8)
                now = time.monotonic() - first
            self._lost = not done
        finally:
            self._camera.release()

    def problems(self) -> list[str]:
        """Whether the camera went away."""
        return [f"{self._name} stopped giving pictures; check its cable"] if self._lost else []

    def stop(self) -> None:
        """Ends with the next frame."""
        self._stopped.set()
