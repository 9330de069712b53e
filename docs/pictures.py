"""Draws the pictures of docs/concepts.md into docs/pictures/, from the example photographs and the embedded weights.

python docs/pictures.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

import anchorpose
from anchorpose.app.estimator import Estimator, find_model, joint_states
from anchorpose.app.runtime import METADATA_KEY
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.io.drawing import draw_overlay, draw_scene3d
from anchorpose.io.figure import DARK, PEOPLE, SIDES, WHITE, Image, disc, joint_dot, links, stroke, text, text_width
from anchorpose.io.files import write_image
from anchorpose.io.images import read_image
from anchorpose.io.scene3d import draw_grid, draw_people, fit_view
from anchorpose.lcrnet.anchors import AnchorPoses, denormalise
from anchorpose.lcrnet.integration import People, Proposals, integrate
from anchorpose.lcrnet.placement import in_camera_axes, place

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT / "examples" / "photos"
STANDING, SELLER, SITTING, SPORT = (
    PHOTOS / f"000000{number}.jpg" for number in ("199055", "366711", "172877", "090284")
)
ENLARGE = 2
"""The photographs are small; lines are drawn on enlarged ones."""
LETTERS = 15.0
SHOWN = 30
"""So many proposals are drawn, best last; there are hundreds."""
X, Y, Z = (70, 70, 220), (70, 160, 60), (200, 100, 60)
Array = NDArray[np.floating]


def main(folder: Path) -> None:
    """Writes every picture; existing ones are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    estimator = anchorpose.load(threads=1)
    pictures = {
        "frames": frames(estimator), "anchor_poses": anchor_poses(), "states": states(estimator),
        "hypotheses": hypotheses(estimator), **stages(estimator),
    }  # fmt: skip
    for name, picture in pictures.items():
        write_image(folder / f"{name}.jpg", picture, quality=85)


def frames(estimator: Estimator) -> Image:
    """Pixels in the photograph, metres in the camera frame, and metres around the body centre."""
    image, poses = enlarged(STANDING, estimator)
    photo = draw_overlay(image, poses, extend=False, labels=False)
    for words, end, colour in (("x, pixels", (200.0, 0.0), X), ("y, pixels", (0.0, 200.0), Y)):
        arrow(photo, (4.0, 4.0), (4 + end[0], 4 + end[1]), colour)
        text(photo, words, (end[0] + 16, end[1] + 16 + LETTERS), LETTERS, WHITE, DARK)
    scene = draw_scene3d(poses, photo.shape[0], photo.shape[0], yaw=50, pitch=-12)
    caption(photo, "joints2d: pixels of the photograph")
    caption(scene, "joints3d + translation: metres, camera frame", top=True)
    return beside(photo, scene, around_centre(poses[0], photo.shape[0], "joints3d: metres, from the body centre"))


def around_centre(person: Poses, height: int, words: str) -> Image:
    """One person about the body centre, with axes of half a metre."""
    canvas = paper(height * 3 // 4, height)
    person = replace(person, translation=np.zeros((1, 3), np.float32))
    joints = person.joints3d[0].astype(np.float64)
    ground = float(joints[:, 1].max())
    view = fit_view(joints, canvas.shape[1], canvas.shape[0], 50, -12)
    draw_grid(canvas, view, joints, ground)
    draw_people(canvas, view, person, ground)
    origin, *ends = (tuple(map(float, p[:2])) for p in view.project(np.vstack([np.zeros(3), np.eye(3) / 2])))
    for name, end, colour in zip("xyz", ends, (X, Y, Z), strict=True):
        arrow(canvas, origin, end, colour)
        text(canvas, name, (end[0] + 10, end[1] + 10), LETTERS * 1.5, colour)
    disc(canvas, origin, 6, DARK)
    caption(canvas, words, top=True)
    return canvas


def anchor_poses() -> Image:
    """All K full-body anchor-poses, turned a little; each has the size that it has in metres."""
    anchors = stored_anchors()
    width, height, columns = 150, 200, 10
    cells = []
    for number, joints in enumerate(anchors.joints3d):
        cell, middle = paper(width, height), np.array([width / 2, height / 2 - 8])
        view = fit_view(anchors.joints3d.reshape(-1, 3).astype(np.float64), width, height, 25, -5)
        flat = (view.project(joints.astype(np.float64))[:, :2] - view.centre) * 1.15 + middle
        body(cell, flat, 4.0)
        text(cell, str(number), (8, height - 8), 9, DARK)
        cells.append(cell)
    cells += [paper(width, height)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[row : row + columns]) for row in range(0, len(cells), columns)])


def stored_anchors() -> AnchorPoses:
    """The anchor-poses in the weights' metadata."""
    session = onnxruntime.InferenceSession(find_model())
    stored = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])["anchors"]
    return AnchorPoses(*(np.array(stored[name], np.float32) for name in ("joints3d", "joints2d")))


def stages(estimator: Estimator) -> dict[str, Image]:
    """The fruit seller on her way through the network."""
    image, poses = enlarged(SELLER, estimator)
    proposals, refined = estimator.detect_proposals(read_image(SELLER))
    proposals = proposals.scaled(ENLARGE)
    height, width = image.shape[:2]
    K = estimator.model.metadata.anchors
    people = integrate(proposals, K, width, height, estimator.integration, refined and refined.scaled((ENLARGE,) * 2))
    first = integrate(proposals, K, width, height, replace(estimator.integration, min_person_score=1.0))
    before = as_poses(first, poses.camera)
    panels = {
        "regions": regions(image, proposals), "starts": starts(image, proposals),
        "proposals": refined_joints(image, proposals),
        "integration": draw_overlay(image, before, extend=False, labels=False),
        "looks": expected_errors(image, poses[:1], people),
    }  # fmt: skip
    words = ("1 regions: localization", "2 anchor-poses: classification", "3 proposals: regression",
             "4 people: integration", "5, 6 second pass and close look")  # fmt: skip
    for panel, line in zip(panels.values(), words, strict=True):
        caption(panel, line)
    return {"stages": beside(*panels.values())}


def regions(image: Image, proposals: Proposals) -> Image:
    """The candidate regions of the best proposals."""
    canvas = faded(image)
    for k in reversed(range(min(SHOWN, len(proposals)))):
        x1, y1, x2, y2 = map(float, proposals.boxes[k])
        corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
        for a, b in pairwise(corners):
            stroke(canvas, a, b, PEOPLE[k % len(PEOPLE)], 2)
    return canvas


def starts(image: Image, proposals: Proposals) -> Image:
    """The anchor-poses of the same proposals, put into their regions."""
    return drawn_bodies(image, denormalise(stored_anchors().joints2d[proposals.labels], proposals.boxes))


def refined_joints(image: Image, proposals: Proposals) -> Image:
    """The same proposals after regression."""
    return drawn_bodies(image, proposals.joints2d)


def drawn_bodies(image: Image, joints2d: Array) -> Image:
    """The first bodies, thin, over the faded photograph."""
    canvas = faded(image)
    for k in reversed(range(min(SHOWN, len(joints2d)))):
        body(canvas, joints2d[k], 2.0)
    return canvas


def expected_errors(image: Image, poses: Poses, people: People) -> Image:
    """A circle for each joint, as wide as the error that the last look expects."""
    canvas = draw_overlay(image, poses, extend=False, labels=False)
    errors = poses.joint_errors if poses.joint_errors is not None else np.zeros(poses.joints2d.shape[:2])
    for (x, y), error in zip(poses.joints2d[0], errors[0], strict=True):
        cv2.circle(canvas, (round(float(x)), round(float(y))), round(float(error)), WHITE, 2, cv2.LINE_AA)
    return canvas


def states(estimator: Estimator) -> Image:
    """Visible, hidden and outside: fruit before the legs, shins below the picture."""
    panels = []
    for photo in (STANDING, SELLER, SITTING):
        image, poses = enlarged(photo, estimator)
        panel = draw_overlay(image, poses[:1], labels=False)
        found = poses.joint_states[0]
        counts = ((f"{int((found == state).sum())} {state.name.lower()}") for state in JointState if state in found)
        caption(panel, ", ".join(counts))
        panels.append(panel)
    return beside(*panels)


def hypotheses(estimator: Estimator) -> Image:
    """One person's pose and the two likeliest further 3D modes."""
    image, poses = enlarged(SPORT, estimator)
    person, modes = poses[0], poses.hypotheses[0]
    photo = draw_overlay(image, person, extend=False, labels=False)
    panels = [photo, around_centre(person, photo.shape[0], "joints3d[0]")]
    for k in range(min(2, len(modes))):
        other = replace(person, joints3d=modes.joints3d[k : k + 1])
        panels.append(around_centre(other, photo.shape[0], f"hypotheses[0].joints3d[{k}]"))
    return beside(*panels)


def as_poses(people: People, camera: Camera) -> Poses:
    """People of the integration alone, placed."""
    joints3d = in_camera_axes(people.joints2d, people.joints3d, camera)
    placed = place(people.joints2d, joints3d, camera, people.visibility)
    seen = joint_states(people.joints2d, people.visibility, camera)
    return Poses(LCR13, camera, people.scores, people.boxes, people.joints2d, joints3d, placed,
                 people.visibility, seen, people.hypotheses)  # fmt: skip


def enlarged(photo: Path, estimator: Estimator) -> tuple[Image, Poses]:
    """The photograph twice as large, and its people there."""
    image = read_image(photo)
    poses = estimator(image)
    size = (image.shape[1] * ENLARGE, image.shape[0] * ENLARGE)
    large = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    errors = None if poses.joint_errors is None else poses.joint_errors * ENLARGE
    return large, replace(poses, joints2d=poses.joints2d * ENLARGE, boxes=poses.boxes * ENLARGE,
                          camera=poses.camera.scaled(*size), joint_errors=errors)  # fmt: skip


def body(canvas: Image, joints2d: Array, width: float) -> None:
    """A stick figure of LCR13's links and joints."""
    points = [(float(x), float(y)) for x, y in joints2d]
    for link in links(LCR13):
        a, b = (tuple(np.mean([points[k] for k in end], axis=0)) for end in (link.start, link.end))
        stroke(canvas, a, b, DARK, width * 1.6)
        stroke(canvas, a, b, SIDES[link.side], width)
    for point in points:
        joint_dot(canvas, point, width * 0.8, PEOPLE[0])


def faded(image: Image) -> Image:
    """The photograph, paler, so that lines stand out."""
    return np.asarray(cv2.addWeighted(image, 0.45, np.full_like(image, 255), 0.55, 0), np.uint8)


def paper(width: int, height: int) -> Image:
    """An empty sheet."""
    return np.full((height, width, 3), (250, 248, 246), np.uint8)


def arrow(canvas: Image, start: tuple[float, ...], end: tuple[float, ...], colour: tuple[int, int, int]) -> None:
    """A thick arrow between two pixels."""
    ends = [(round(x), round(y)) for x, y in (start, end)]
    cv2.arrowedLine(canvas, ends[0], ends[1], colour, 5, cv2.LINE_AA, tipLength=0.12)


def caption(canvas: Image, words: str, top: bool = False) -> None:
    """A line at the lower or upper left."""
    letters = min(LETTERS * canvas.shape[0] / 700, LETTERS * 1.4)
    while text_width(words, letters) > canvas.shape[1] - 20:
        letters *= 0.9
    text(canvas, words, (10, letters * 1.5 if top else canvas.shape[0] - 12), letters, WHITE, DARK)


def beside(*panels: Image) -> Image:
    """Panels side by side, equally high, 1,600 pixels wide in all at most."""
    height = min(p.shape[0] for p in panels)
    scaled = [cv2.resize(p, (round(p.shape[1] * height / p.shape[0]), height), interpolation=cv2.INTER_AREA)
              for p in panels]  # fmt: skip
    gap = np.full((height, 8, 3), 255, np.uint8)
    row = np.hstack([piece for panel in scaled for piece in (panel, gap)][:-1])
    share = min(1.0, 1600 / row.shape[1])
    size = (round(row.shape[1] * share), round(row.shape[0] * share))
    return np.asarray(cv2.resize(row, size, interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures")
