from __future__ import annotations

from dataclasses import replace

import numpy as np

from anchorpose.core.poses import Poses
from anchorpose.io.figure import person_colour
from anchorpose.io.video.trails import Trails

from ..people import people

GREY = np.full((300, 400, 3), 120, np.uint8)


def walking(x: float, identity: int = 1) -> Poses:
    return replace(people((x, 0.0, 4.0)), track_ids=np.array([identity]))


def drawn(trails: Trails, time: float) -> np.ndarray:
    """Where a picture has changed."""
    return np.abs(trails.draw(GREY, time).astype(int) - GREY).sum(-1) > 0


def test_a_trail_lies_where_somebody_went() -> None:
    trails = Trails(1.0)
    for i in range(20):
        trails.update(walking(-0.8 + 0.04 * i), i * 0.04)
    changed = drawn(trails, 19 * 0.04)
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 50
    assert columns.min() > 100
    assert columns.max() < 210  # nobody has been at the right
    assert 130 < rows.mean() < 170
    picture = trails.draw(GREY, 19 * 0.04)
    near = np.abs(picture[changed].astype(int) - (0.75 * np.array(person_colour(1)) + 30)).sum(-1)
    assert near.min() < 30
    assert (GREY == 120).all()


def test_it_fades_and_goes() -> None:
    trails = Trails(1.0)
    for i in range(20):
        trails.update(walking(-0.8 + 0.04 * i), i * 0.04)
    wide = drawn(trails, 0.8).sum()
    nobody = people()
    trails.update(nobody, 1.4)
    assert 0 < drawn(trails, 1.4).sum() < wide
    trails.update(nobody, 3.0)
    assert drawn(trails, 3.0).sum() == 0


def test_people_do_not_share_a_trail() -> None:
    trails = Trails(1.0)
    trails.update(walking(-0.8, 1), 0.0)
    trails.update(walking(0.8, 2), 0.04)
    assert drawn(trails, 0.04).sum() == 0
    trails.update(replace(walking(0.0), track_ids=None), 0.08)
    assert drawn(trails, 0.08).sum() == 0
