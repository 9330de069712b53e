"""One dressed person as a mesh: body, skirt and long hair in a pose, with what materials need to know of each place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anchorpose.synthesis.rendering.bodies import BodyPool, pose_bones, skin_vertices
from anchorpose.synthesis.rendering.chart import Chart
from anchorpose.synthesis.rendering.clothing import Sheet, displacement, make_long_hair, make_skirt, shod
from anchorpose.synthesis.rendering.outfits import Outfit, draw_outfit
from anchorpose.synthesis.rendering.retarget import bone_rotations

Floats = NDArray[np.float32]


class Surface(IntEnum):
    """What a triangle belongs to."""

    BODY = 0
    SKIRT = 1
    HAIR = 2


@dataclass(frozen=True)
class Figure:
    """A person's mesh: v vertices, f triangles.

    Args:
        vertices: (v, 3) metres. normals: (v, 3) unit, outwards. faces: (f, 3).
        joints: (13, 3) metres, LCR13, inside the limbs.
        parts: (f,) of `Part`. surfaces: (f,) of `Surface`.
        chart: (v, 9) `Chart.columns`; 0 off the body. texture: (f, 3, 2) texture coordinates of the corners.
        outfit: worn.
    """

    vertices: Floats
    normals: Floats
    faces: NDArray[np.int32]
    joints: Floats
    parts: NDArray[np.uint8]
    surfaces: NDArray[np.uint8]
    chart: Floats
    texture: Floats
    outfit: Outfit

    def moved(self, rotation: NDArray[np.floating], translation: NDArray[np.floating]) -> Figure:
        """Turned by a (3, 3) rotation, then shifted by (3,) metres."""
        turn = rotation.astype(np.float32)
        return replace(
            self,
            vertices=(self.vertices @ turn.T + translation).astype(np.float32),
            normals=self.normals @ turn.T,
            joints=(self.joints @ turn.T + translation).astype(np.float32),
        )


def make_figure(pool: BodyPool, chart: Chart, body: int, pose: Floats, rng: np.random.Generator) -> Figure:
    """Dress a body at random and put it into a pose.

    Args:
        pool, chart, body: who.
        pose: (13, 3) LCR13, y down; only its directions count.
        rng: of clothes, hands, gaze.

    Returns:
        the figure in the pose's axes, its pelvis near the origin.
    """
    outfit = draw_outfit(rng, float(pool.ages[body]), float(pool.genders[body]))
    rest = pool.vertices[body]
    motions = pose_bones(pool.heads[body], pool.parents, bone_rotations(pool, body, pose, rng))
    joints = pool.joint_weights @ skin_vertices(rest, pool.skin, motions)
    covered = shod(rest, outfit, chart, pool.faces)
    dressed = covered + vertex_normals(covered, pool.faces) * displacement(outfit, chart, rng)[:, None]
    sheets = {}
    if outfit.skirt > 0:
        sheets[Surface.SKIRT] = make_skirt(pool, chart, body, outfit, rng)
    if outfit.long_hair > 0 and not outfit.hat:
        sheets[Surface.HAIR] = make_long_hair(pool, body, outfit, rng)
    posed = [skin_vertices(dressed, pool.skin, motions)]
    posed += [skin_vertices(s.vertices, s.skin, motions) for s in sheets.values()]
    return _joined(pool, chart, posed, sheets, np.asarray(joints, np.float32), outfit)


def vertex_normals(vertices: Floats, faces: NDArray[np.int32]) -> Floats:
    """(v, 3) unit normals, the triangles' weighted by their area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    rows, columns = faces.ravel(), np.repeat(np.arange(len(faces)), 3)
    meets = sparse.coo_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(vertices), len(faces)))
    summed = meets.tocsr() @ np.cross(b - a, c - a)
    return np.asarray(summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12), np.float32)


def _joined(
    pool: BodyPool, chart: Chart, posed: list[Floats], sheets: dict[Surface, Sheet], joints: Floats, outfit: Outfit
) -> Figure:
    columns = chart.columns()
    faces, texture, charts = [pool.faces], [pool.texture], [columns]
    # a triangle belongs to the part of the middle one of its corners, so that borders do not depend on their order
    parts = [np.median(chart.parts[pool.faces], axis=1).astype(np.uint8)]
    surfaces = [np.full(len(pool.faces), Surface.BODY, np.uint8)]
    first = len(posed[0])
    for surface, sheet in sheets.items():
        faces.append(sheet.faces + first)
        texture.append(sheet.texture[sheet.faces])
        charts.append(np.zeros((len(sheet.vertices), columns.shape[1]), np.float32))
        parts.append(np.median(sheet.parts[sheet.faces], axis=1).astype(np.uint8))
        surfaces.append(np.full(len(sheet.faces), surface, np.uint8))
        first += len(sheet.vertices)
    vertices, corners = np.concatenate(posed), np.concatenate(faces)
    return Figure(vertices, vertex_normals(vertices, corners), corners, joints, np.concatenate(parts),
                  np.concatenate(surfaces), np.concatenate(charts), np.concatenate(texture), outfit)  # fmt: skip
