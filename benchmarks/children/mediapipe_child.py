"""MediaPipe Pose (full) behind the line protocol of systems.py; runs in MediaPipe's own environment."""

from __future__ import annotations

import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # libraries that print must not disturb the answers

import cv2  # noqa: E402
import mediapipe  # noqa: E402

# BlazePose's landmark of each of COCO's 17 joints.
COCO17 = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]


def main() -> None:
    # Each photograph is new, so the tracker that MediaPipe uses in videos must not run.
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    print(json.dumps({"ready": f"MediaPipe Pose {mediapipe.__version__} full"}), file=answers)
    for line in sys.stdin:
        start = time.perf_counter()
        image = cv2.imread(line.rstrip("\n"))
        result = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        ms = 1000 * (time.perf_counter() - start)
        height, width = image.shape[:2]
        people, scores = [], []
        if result.pose_landmarks:
            marks = [result.pose_landmarks.landmark[i] for i in COCO17]
            people = [[[mark.x * width, mark.y * height] for mark in marks]]
            scores = [sum(mark.visibility for mark in marks) / len(marks)]
        print(json.dumps({"ms": ms, "skeleton": "COCO17", "scores": scores, "joints2d": people}), file=answers)


main()
