"""A skeleton of one's own in a few lines, filled from the detected people by joint names.

python examples/own_skeleton.py
"""

from pathlib import Path

import anchorpose

ARMS = anchorpose.Skeleton(
    "ARMS",
    ("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
    {
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
    },
)

poses = anchorpose.load()(Path(__file__).parent / "photos" / "000000090284.jpg")
arms = poses.to_skeleton(ARMS)
for parent, child in ARMS.bones:
    length = ((arms.joints3d[0, child] - arms.joints3d[0, parent]) ** 2).sum() ** 0.5
    print(f"{ARMS.joints[parent]} to {ARMS.joints[child]}: {length:.2f} m")
