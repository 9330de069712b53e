"""People of a photograph: who is where, how far away, and what cannot be seen.

python examples/detect.py [PHOTO]
"""

import sys
from pathlib import Path

import anchorpose

photo = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "photos" / "000000199055.jpg"
poses = anchorpose.load()(photo)
print(f"{len(poses)} people; the camera is {'assumed' if poses.camera.assumed else 'known'}")
for person in poses:
    x, y, z = person.translation[0]
    hidden = [
        name
        for name, state in zip(person.skeleton.joints, person.joint_states[0], strict=True)
        if state != anchorpose.JointState.VISIBLE
    ]
    print(f"score {person.scores[0]:.2f}, {z:.1f} m away, {abs(x):.1f} m to the {'right' if x > 0 else 'left'}")
    print(f"  not seen: {', '.join(hidden) or 'nothing'}")
