"""MediaPipe's world landmarks of every person of synthesised scenes, each cut out by the true box.

Runs in MediaPipe's own environment: `python mediapipe_world.py SCENES OUT.json`; SCENES holds annotations.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import mediapipe

MARGIN = 0.25


def main() -> None:
    scenes, out = Path(sys.argv[1]), Path(sys.argv[2])
    data = json.loads((scenes / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in data["images"]}
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    found = {}
    for annotation in data["annotations"]:
        image = cv2.imread(str(scenes / "images" / names[annotation["image_id"]]))
        result = pose.process(cv2.cvtColor(cut(image, annotation["bbox"]), cv2.COLOR_BGR2RGB))
        if result.pose_world_landmarks:
            found[annotation["id"]] = [[mark.x, mark.y, mark.z] for mark in result.pose_world_landmarks.landmark]
    out.write_text(json.dumps(found))


def cut(image, box):
    """The box with a margin, at least 256 px high so that small people are not lost."""
    x, y, w, h = box
    side = max(w, h) * MARGIN / 2
    x1, y1 = max(0, int(x - side)), max(0, int(y - side))
    part = image[y1 : int(y + h + side) + 1, x1 : int(x + w + side) + 1]
    scale = max(1.0, 256 / max(part.shape[:2]))
    return cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


main()
