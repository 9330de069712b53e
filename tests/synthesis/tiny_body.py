"""A man of boxes with Anny's bone names: everything that poses, dresses and draws bodies runs on it in milliseconds."""

from __future__ import annotations

import numpy as np

from anchorpose.core.skeleton import LCR13
from anchorpose.synthesis.rendering.bodies import BodyPool

# bone: (parent, head, tail) in metres, left half, y up from the ground, z to the back
_MIDDLE = {
    "root": (None, (0, 0.95, 0), (0, 0.95, 0)), "spine05": ("root", (0, 0.95, 0), (0, 1.05, 0)),
    "spine04": ("spine05", (0, 1.05, 0), (0, 1.15, 0)), "spine03": ("spine04", (0, 1.15, 0), (0, 1.25, 0)),
    "spine02": ("spine03", (0, 1.25, 0), (0, 1.35, 0)), "spine01": ("spine02", (0, 1.35, 0), (0, 1.45, 0)),
    "neck01": ("spine01", (0, 1.45, 0), (0, 1.48, 0)), "neck02": ("neck01", (0, 1.48, 0), (0, 1.51, 0)),
    "neck03": ("neck02", (0, 1.51, 0), (0, 1.54, 0)), "head": ("neck03", (0, 1.54, 0), (0, 1.75, 0)),
}  # fmt: skip
_LEFT = {
    "pelvis": ("root", (0, 0.95, 0), (0.1, 0.93, 0)), "upperleg01": ("pelvis", (0.1, 0.93, 0), (0.1, 0.7, 0)),
    "upperleg02": ("upperleg01", (0.1, 0.7, 0), (0.1, 0.5, 0)),
    "lowerleg01": ("upperleg02", (0.1, 0.5, 0), (0.1, 0.28, 0)),
    "lowerleg02": ("lowerleg01", (0.1, 0.28, 0), (0.1, 0.08, 0)),
    "foot": ("lowerleg02", (0.1, 0.08, 0), (0.1, 0.03, -0.2)),
    "clavicle": ("spine01", (0.02, 1.43, 0), (0.1, 1.43, 0)),
    "shoulder01": ("clavicle", (0.1, 1.43, 0), (0.18, 1.43, 0)),
    "upperarm01": ("shoulder01", (0.18, 1.43, 0), (0.27, 1.34, 0)),
    "upperarm02": ("upperarm01", (0.27, 1.34, 0), (0.36, 1.25, 0)),
    "lowerarm01": ("upperarm02", (0.36, 1.25, 0), (0.44, 1.17, -0.03)),
    "lowerarm02": ("lowerarm01", (0.44, 1.17, -0.03), (0.52, 1.09, -0.06)),
    "wrist": ("lowerarm02", (0.52, 1.09, -0.06), (0.62, 0.99, -0.08)),
    "eye": ("head", (0.03, 1.64, -0.09), (0.03, 1.64, -0.1)),
}  # fmt: skip
_THICK = {"spine": 0.13, "root": 0.13, "pelvis": 0.1, "upperleg": 0.08, "head": 0.09, "eye": 0.01, "clavicle": 0.08}
_JOINT_BONES = {"ankle": "foot", "knee": "lowerleg01", "hip": "upperleg01", "wrist": "wrist", "elbow": "lowerarm01",
                "shoulder": "upperarm01"}  # fmt: skip
_CORNERS = np.array([[a, b, c] for c in (0, 1) for a in (-1, 1) for b in (-1, 1)], float)
_SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def tiny_pool(bodies: int = 2) -> BodyPool:
    """Bodies of 1.75 m and smaller, one box a bone."""
    table = dict(_MIDDLE)
    for side, letter in ((1, "L"), (-1, "R")):
        for bone, (parent, head, tail) in _LEFT.items():
            above = parent if parent in _MIDDLE else f"{parent}.{letter}"
            table[f"{bone}.{letter}"] = (above, *((side * x, y, z) for x, y, z in (head, tail)))
    names = list(table)
    boxes = np.stack([_box(name, *map(np.array, table[name][1:])) for name in names])
    heads = np.array([_down(table[name][1]) for name in names])
    faces = np.concatenate(
        [np.concatenate([_SIDES[:, [0, 1, 2]], _SIDES[:, [0, 2, 3]]]) + 8 * i for i in range(len(names))]
    )
    vertices = boxes.reshape(-1, 3)
    owner = np.repeat(np.arange(len(names)), 8)
    masks = np.zeros((len(vertices), 3))
    masks[[names[i].startswith("eye") for i in owner], 2] = 1
    scales = np.linspace(1, 0.7, bodies)[:, None, None]
    return BodyPool(
        vertices=(vertices * scales).astype(np.float32), heads=(heads * scales).astype(np.float32),
        ages=np.linspace(40, 8, bodies, dtype=np.float32), genders=np.linspace(0, 1, bodies, dtype=np.float32),
        faces=faces.astype(np.int32), texture=np.random.default_rng(0).random((len(faces), 3, 2), np.float32),
        canonical=vertices.astype(np.float32), masks=masks.astype(np.float32),
        bone_weights=np.pad(np.ones((len(vertices), 1)), ((0, 0), (0, 8))).astype(np.float32),
        bone_indices=np.pad(owner[:, None], ((0, 0), (0, 8))).astype(np.int32), regressor=_regressor(names),
        bones=np.array(names),
        parents=np.array([-1 if table[n][0] is None else names.index(table[n][0]) for n in names], np.int32),
    )  # fmt: skip


def _down(point: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    return np.array([point[0], 0.95 - point[1], point[2]])


def _box(name: str, head: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """(8, 3) corners: four around the bone's head, whose mean it is, four around its tail."""
    along = tail - head if (tail != head).any() else np.array([0, 0.01, 0])
    first = np.cross(along, [0, 0, 1.0])
    first = first / np.linalg.norm(first) if np.linalg.norm(first) > 1e-9 else np.array([1.0, 0, 0])
    second = np.cross(along, first)
    second /= np.linalg.norm(second)
    thick = next((t for start, t in _THICK.items() if name.startswith(start)), 0.05)
    a, b, c = _CORNERS.T[..., None]
    corners = head + c * along + thick * (a * first + b * second)
    return np.stack([_down(p) for p in corners])


def _regressor(names: list[str]) -> np.ndarray:
    weights = np.zeros((len(LCR13), 8 * len(names)), np.float32)
    for i, joint in enumerate(LCR13.joints):
        if joint == "head_top":
            weights[i, 8 * names.index("head") + np.arange(4, 8)] = 0.25
        else:
            side, base = joint.split("_")
            weights[i, 8 * names.index(f"{_JOINT_BONES[base]}.{side[0].upper()}") + np.arange(4)] = 0.25
    return weights
