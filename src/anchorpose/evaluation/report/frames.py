"""The best, median and worst pictures of an archive with 3D: drawn over, and one person as a figure of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13, Skeleton
from anchorpose.evaluation.report.bodies import Bodies
from anchorpose.evaluation.report.pictures import Picture, choose, compare
from anchorpose.evaluation.truth3d import Truth3D
from anchorpose.io.figure import Link, links

Array = NDArray[np.floating]
MOST = 500.0
"""Millimetres: a person counts as no worse than this when pictures are ordered, and as this if not found."""
_VIEWS = {"as the camera sees it": (0, 1), "from the side": (2, 1)}
_SIDE, _ROOM = 150, 10
_COLOURS = {"left": "c1", "right": "c0", "middle": "c6"}


def frames(bodies: Bodies, truths: Sequence[Truth3D], predictions: Mapping[str, Poses],
           folder: Path) -> dict[str, list[Picture]]:  # fmt: skip
    """Up to four pictures of each group, ordered by their people's mean error; `score` is that, in millimetres.

    Args:
        bodies: of `archives.gather_archive`, of the same truths and predictions.
        truths, predictions: what was measured.
        folder: above the pictures; those that are not there are shown as figures of lines only.
    """
    groups = choose(bodies.image, -np.fmin(bodies.mean_error, MOST), len(truths))
    return {name: [_frame(bodies, truths[i], predictions[truths[i].file_name], folder, i, -score)
                   for i, score in group] for name, group in groups.items()}  # fmt: skip


def _frame(bodies: Bodies, truth: Truth3D, found: Poses, folder: Path, index: int, error: float) -> Picture:
    own = np.flatnonzero(bodies.image == index)
    picture = compare(truth.file_name, folder, _annotated(truth, found.camera), found, bodies.taken[own], error)
    worst = own[int(np.argmax(np.nan_to_num(bodies.mean_error[own], nan=np.inf)))]
    return replace(picture, bodies=two_views(bodies.exact[worst], bodies.found[worst], bodies.joints))


def _annotated(truth: Truth3D, camera: Camera) -> Poses:
    """The annotated people in LCR13, for drawing; joints of unknown state count as visible."""
    n, source = len(truth), truth.skeleton.map_to(LCR13)
    joints = np.where((source >= 0)[:, None], truth.joints2d[:, source], np.nan).astype(np.float32)
    hidden = (truth.states[:, source] == JointState.HIDDEN) & (source >= 0)
    nan = np.full((n, len(LCR13), 3), np.nan, np.float32)
    return Poses(LCR13, camera, np.ones(n, np.float32), boxes.around(joints, 0.1), joints, nan, nan[:, 0],
                 np.ones((n, len(LCR13)), np.float32),
                 np.where(hidden, JointState.HIDDEN, JointState.VISIBLE).astype(np.uint8))  # fmt: skip


def two_views(exact: Array, found: Array, joints: Sequence[str]) -> str:
    """One person as lines, annotated dashed and found in colours, as the camera sees it and from its side.

    Args:
        exact, found: (J, 3) metres about the same centre; NaN where missing.
        joints: their names; bones are those of LCR13.
    """
    own = Skeleton("counted", tuple(joints))
    source = own.map_to(LCR13)
    drawn = [np.where((source >= 0)[:, None], points[source], np.nan) for points in (exact, found)]
    every = np.concatenate(drawn)
    every = every[np.isfinite(every).all(axis=1)]
    if not len(every):
        return ""
    # People who are far off are cut, or those who fit would be too small to see.
    middle = (np.nanmin(exact, axis=0) + np.nanmax(exact, axis=0)) / 2 if np.isfinite(exact).any() else every.mean(0)
    reach = float(np.clip(np.abs(every - middle).max(), 0.5, 1.5))
    views = [_view(drawn, middle, reach, axes, number * (_SIDE + _ROOM))
             for number, axes in enumerate(_VIEWS.values())]  # fmt: skip
    labels = [f'<text class="tick" x="{number * (_SIDE + _ROOM) + _SIDE / 2:.0f}" y="{_SIDE + 14}" '
              f'text-anchor="middle">{name}</text>' for number, name in enumerate(_VIEWS)]  # fmt: skip
    width = 2 * _SIDE + _ROOM
    return (f'<svg class="bodies" viewBox="0 0 {width} {_SIDE + 20}" role="img" aria-label="annotated and found in 3D">'
            f"{''.join(views)}{''.join(labels)}</svg>")  # fmt: skip


def _view(drawn: Sequence[Array], middle: Array, reach: float, axes: tuple[int, int], left: int) -> str:
    chosen = list(axes)
    pixels = [np.clip((points - middle)[:, chosen] / reach, -1, 1) * (_SIDE / 2 - 4) + _SIDE / 2 for points in drawn]
    exact, found = pixels
    lines = [*(_line(exact, link, left, "plain", "line") for link in links(LCR13)),
             *(_line(found, link, left, _COLOURS[link.side], "limb") for link in links(LCR13))]  # fmt: skip
    return f'<rect class="stage" x="{left}" y="0" width="{_SIDE}" height="{_SIDE}" rx="6"/>{"".join(lines)}'


def _line(points: Array, link: Link, left: int, colour: str, style: str) -> str:
    start, end = points[list(link.start)].mean(axis=0), points[list(link.end)].mean(axis=0)
    if not np.isfinite([*start, *end]).all():
        return ""
    return (f'<g class="{colour}"><line class="{style}" x1="{left + start[0]:.1f}" y1="{start[1]:.1f}" '
            f'x2="{left + end[0]:.1f}" y2="{end[1]:.1f}"/></g>')  # fmt: skip
