"""A clip as a live 3D scene in the browser, through viser.

viser (Apache-2.0) is plain Python with its web page inside, works over ssh and needs no program on the viewer's side;
rerun's SDK brings a native viewer, in a wheel of 170 MB against viser's 4 MB.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.io.exports.axes import to_axes
from anchorpose.io.exports.clip import Clip, PersonClip
from anchorpose.io.figure import PEOPLE, SIDES, lighter, links

_TICK = 1 / 60


class LiveScene:
    """A running scene; `close` (or leaving the `with` block) stops it.

    People stand over a floor grid, z up; hidden joints and bones are lighter. Controls in the page: play, frame, speed.
    """

    def __init__(self, clip: Clip, host: str, port: int) -> None:
        try:
            import viser  # the [view] extra
        except ImportError:
            advice = "install it: pip install 'anchorpose[view]'"
            raise InputError(f"found no viser, which shows the scene; {advice}") from None
        self.clip = clip
        self._space = [to_axes(p.in_camera(), "z") for p in clip.people]
        self._links = links(clip.skeleton)
        self._bones: list[Any] = []
        self._joints: list[Any] = []
        self._tags: list[Any] = []
        self._server = viser.ViserServer(host=host, port=port, verbose=False)
        self._closed = threading.Event()
        self._build()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that was free, the wanted one or the next."""
        return int(self._server.get_port())

    @property
    def frame(self) -> int:
        """The frame on show."""
        return int(self._slider.value)

    def show(self, frame: int) -> None:
        """Show the k-th frame of the clip (held to its range)."""
        self._slider.value = int(np.clip(frame, 0, len(self.clip) - 1))
        self._draw(self.frame)

    def play(self, on: bool = True) -> None:
        """Play or pause."""
        self._playing.value = on

    def wait(self) -> None:
        """Until the scene is closed or the user presses Ctrl-C."""
        while not self._closed.wait(0.2):
            pass

    def close(self) -> None:
        """Stop the server; once is enough, twice does no harm."""
        if not self._closed.is_set():
            self._closed.set()
            self._thread.join(timeout=2)
            self._server.stop()

    def __enter__(self) -> LiveScene:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _build(self) -> None:
        scene, known = self._server.scene, [s[np.isfinite(s).all(-1)] for s in self._space]
        points = np.concatenate([*known, np.zeros((0, 3))])
        low, high = (points.min(0), points.max(0)) if len(points) else (np.array([-1.0, 2, -1]), np.array([1.0, 4, 1]))
        middle, reach = (low + high) / 2, float(max(np.ptp(points, axis=0).max() if len(points) else 2.0, 2.0))
        scene.set_up_direction("+z")
        size = np.ceil(high[:2] - low[:2]) + 4
        scene.add_grid("/floor", width=float(size[0]), height=float(size[1]), cell_size=1.0, section_size=5.0,
                       position=(float(middle[0]), float(middle[1]), float(low[2])))  # fmt: skip
        self._server.initial_camera.look_at = tuple(middle.tolist())
        self._server.initial_camera.position = tuple((middle + np.array([0.9, -1.4, 0.5]) * reach).tolist())
        for person in self.clip.people:
            line, dot = np.zeros((1, 2, 3)), np.zeros((1, 3))
            bones = scene.add_line_segments(f"/{person.id}/bones", line.astype(np.float32), line.astype(np.uint8),
                                            thickness=5.0, thickness_units="screen")  # fmt: skip
            joints = scene.add_point_cloud(f"/{person.id}/joints", dot.astype(np.float32), dot.astype(np.uint8),
                                           point_size=0.05, point_shape="circle")  # fmt: skip
            self._bones.append(bones)
            self._joints.append(joints)
            self._tags.append(scene.add_label(f"/{person.id}/name", f"#{person.id}"))
        gui = self._server.gui
        self._playing: Any = gui.add_checkbox("play", False)
        self._slider: Any = gui.add_slider("frame", 0, max(len(self.clip) - 1, 1), 1, 0)
        self._speed: Any = gui.add_slider("speed", 0.1, 4.0, 0.1, 1.0)
        self._slider.on_update(lambda _: self._draw(self.frame))
        self._draw(0)

    def _draw(self, frame: int) -> None:
        frame = min(frame, len(self.clip) - 1)
        with self._server.atomic():
            for i, person in enumerate(self.clip.people):
                at = self._space[i][frame]
                known = np.isfinite(at).all(-1)
                handles = (self._bones[i], self._joints[i], self._tags[i])
                for handle in handles:
                    handle.visible = bool(known.any())
                if known.any():
                    self._move(person, frame, at, known, handles)

    def _move(
        self, person: PersonClip, frame: int, at: NDArray[np.float64], known: NDArray[np.bool_],
        handles: tuple[Any, Any, Any],
    ) -> None:  # fmt: skip
        bones, joints, tag = handles
        seen = person.states[frame] == JointState.VISIBLE
        ends, colours = [], []
        for link in self._links:
            a, b = at[list(link.start)].mean(0), at[list(link.end)].mean(0)
            if np.isfinite([a, b]).all():
                shown = seen[[*link.start, *link.end]].all()
                ends.append((a, b))
                colours.append(SIDES[link.side] if shown else lighter(SIDES[link.side], 0.6))
        own = PEOPLE[person.id % len(PEOPLE)]
        joints.points = at[known].astype(np.float32)
        joints.colors = np.array([own if s else lighter(own, 0.6) for s in seen[known]], np.uint8)[:, ::-1]
        bones.visible = bool(ends)
        if ends:
            bones.points = np.array(ends, np.float32)
            bones.colors = np.repeat(np.array(colours, np.uint8)[:, None, ::-1], 2, axis=1)
        highest = at[known][at[known][:, 2].argmax()]
        tag.position = (float(highest[0]), float(highest[1]), float(highest[2]) + 0.12)

    def _play(self) -> None:
        times, before, now = self.clip.times - self.clip.times[0], time.monotonic(), 0.0
        while not self._closed.wait(_TICK):
            passed, before = time.monotonic() - before, time.monotonic()
            if not self._playing.value:
                now = float(times[min(self.frame, len(times) - 1)])
                continue
            now = now + passed * self._speed.value
            now = now if now <= times[-1] + 1 / self.clip.fps else 0.0
            frame = int(np.searchsorted(times, now, side="right")) - 1
            if frame != self.frame:
                self.show(frame)


def view(clip: Clip, host: str = "127.0.0.1", port: int = 8080) -> LiveScene:
    """Open a clip as a scene to turn, zoom and play in the browser.

    Args:
        clip: the tracked people.
        host: the address to listen at; only this machine by default.
        port: the wanted port; the next free one is taken where it is not.

    Returns:
        the running scene: print `http://HOST:PORT` from its `port`, then `wait()`.

    Raises:
        InputError: viser is not installed.
    """
    return LiveScene(clip, host, port)
