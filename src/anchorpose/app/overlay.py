"""The pictures of the overlay video: bodies, numbers and trails, and the people in 3D beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from anchorpose.app.video import Frame
from anchorpose.core.camera import Camera
from anchorpose.core.poses import Poses
from anchorpose.io.overlay import draw_overlay
from anchorpose.io.video.trails import Trails
from anchorpose.io.viewer.panel import Room, camera_room, first_room, panel
from anchorpose.io.viewer.panel import Trails as GroundTrails

Image = NDArray[np.uint8]


def drawn_frames(
    frames: Iterable[Frame], ids: tuple[int, ...] = (), with_panel: bool = False
) -> Iterator[tuple[Frame, Image]]:
    """Each frame and its picture, (h, w, 3) uint8 BGR, wider by the panel.

    Args:
        frames: in order. ids: people who are drawn; nobody named draws everyone.
        with_panel: the 3D scene beside the picture, as high as it, always from the same place.
    """
    trails, scene = Trails(), _Panel()
    for frame in frames:
        poses = frame.poses
        if ids and poses.track_ids is not None:
            poses = poses[np.isin(poses.track_ids, ids)]
        trails.update(poses, frame.time)
        picture = draw_overlay(trails.draw(frame.image, frame.time), poses, extend=False)
        yield frame, np.hstack([picture, scene.draw(poses, frame.time)]) if with_panel else picture


class _Panel:
    """The 3D scene; from the first people on the room stays the same as long as the camera does."""

    def __init__(self) -> None:
        self._trails = GroundTrails()
        self._camera: Camera | None = None
        self._room: Room | None = None

    def draw(self, poses: Poses, time: float) -> Image:
        self._trails.add(poses, time)
        camera = poses.camera
        size = min(camera.width, camera.height), camera.height
        if camera != self._camera:
            self._camera, self._room = camera, None
        if self._room is None and np.isfinite(poses.translation).all(-1).any():
            self._room = first_room(poses, size)
        return panel(poses, size, self._room or camera_room(camera, size), self._trails)
