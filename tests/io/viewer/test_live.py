from __future__ import annotations

import time
import urllib.request

import numpy as np
import pytest

from anchorpose.io.exports.axes import to_axes
from anchorpose.io.viewer.live import view
from tests.io.exports.clips import walk

pytest.importorskip("viser", reason="needs the extra view")


def test_a_server_shows_frames_plays_and_stops() -> None:
    clip = walk()
    with view(clip, port=18_080) as scene:
        address = f"http://127.0.0.1:{scene.port}/"
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert b"<html" in answer.read().lower()
        scene.show(8)
        assert scene.frame == 8
        for i, person in enumerate(clip.people):
            np.testing.assert_allclose(scene._joints[i].points, to_axes(person.in_camera()[8], "z"), atol=2e-3)
        assert [h.visible for h in scene._bones] == [True, True]
        scene.show(0)
        assert [h.visible for h in scene._bones] == [True, False]
        scene.show(999)
        assert scene.frame == 23
        scene.show(0)
        scene.play()
        until = time.monotonic() + 10
        while scene.frame == 0 and time.monotonic() < until:
            time.sleep(0.02)
        assert scene.frame > 0
    with pytest.raises(OSError, match=r"refused|timed out|reset"):
        urllib.request.urlopen(address, timeout=2)
