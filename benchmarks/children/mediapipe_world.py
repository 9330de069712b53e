"""MediaPipe's landmarks of every person of synthesised scenes, each cut out by the true box.

Runs in MediaPipe's own environment: `python mediapipe_world.py SCENES OUT.json`; SCENES holds annotations.json. Writes
{annotation id: {"world": 33 x [x, y, z] metres, "image": 33 x [x, y] pixels}}, without people who were not found.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import mediapipe

MARGIN = 0.25
SMALLEST = 256


def main() -> None:
    scenes, out = Path(sys.argv[1]), Path(sys.argv[2])
    data = json.loads((scenes / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in data["images"]}
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    found = {}
    for annotation in data["annotations"]:
        image = cv2.imread(str(scenes / "images" / names[annotation["image_id"]]))
        part, x, y = cut(image, annotation["bbox"])
        # Small people are enlarged, so that they are not lost.
        scale = max(1.0, SMALLEST / max(part.shape[:2]))
        large = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        result = pose.process(cv2.cvtColor(large, cv2.COLOR_BGR2RGB))
        if result.pose_world_landmarks:
            height, width = part.shape[:2]
            found[annotation["id"]] = {
                "world": [[mark.x, mark.y, mark.z] for mark in result.pose_world_landmarks.landmark],
                "image": [[x + mark.x * width, y + mark.y * height] for mark in result.pose_landmarks.landmark],
            }
    out.write_text(json.dumps(found))


def cut(image, box):
    """The box with a margin, and its corner."""
    x, y, w, h = box
    side = max(w, h) * MARGIN / 2
    x1, y1 = max(0, int(x - side)), max(0, int(y - side))
    return image[y1 : int(y + h + side) + 1, x1 : int(x + w + side) + 1], x1, y1


main()
