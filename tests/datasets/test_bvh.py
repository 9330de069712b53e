import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.bvh import BANDAI_NAMCO, Clip, lcr13_poses, read_bvh

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 20 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333
0 100 0 0 0 0 0 0 0
0 100 0 90 0 0 90 0 0
"""


def test_forward_kinematics_by_hand(tmp_path):
    path = tmp_path / "a.bvh"
    path.write_text(BVH)
    clip = read_bvh(path)
    assert clip.names == ("Hips", "Arm", "Arm_end")
    # y up in the file is y down here; centimetres become metres.
    np.testing.assert_allclose(clip.positions[0], [[0, -1, 0], [0.1, -1, 0], [0.1, -1.2, 0]], atol=1e-6)
    # Hips turned by 90 degrees about z: the arm points up, and its own turn sends the end downwards.
    np.testing.assert_allclose(clip.positions[1], [[0, -1, 0], [0, -1.1, 0], [0, -0.9, 0]], atol=1e-6)
    assert len(read_bvh(path, stride=2).positions) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("HIERARCHY\n", "no MOTION"), (BVH + "1 2 3\n", "found 3 channel values, wanted 9"), (None, "cannot read")],
)
def test_broken_files_are_named(tmp_path, text, message):
    path = tmp_path / "a.bvh"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_bvh(path)


def test_poses_are_centred_and_stand_upright():
    names = (*dict.fromkeys(BANDAI_NAMCO.values()), "Neck")
    positions = np.zeros((1, len(names), 3), np.float32)
    heights = {"Head": -1.5, "Neck": -1.4, "UpperArm_L": -1.3, "UpperArm_R": -1.3, "UpperLeg_L": -0.9,
               "UpperLeg_R": -0.9, "Foot_L": -0.1, "Foot_R": -0.1}  # fmt: skip
    for name, height in heights.items():
        positions[0, names.index(name), 1] = height
    pose = lcr13_poses(Clip(names, positions))[0]
    torso = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    np.testing.assert_allclose(pose[torso].mean(0), 0, atol=1e-6)
    assert pose[LCR13.index("head_top"), 1] < pose[LCR13.index("left_shoulder"), 1] < pose[LCR13.index("left_ankle"), 1]
    with pytest.raises(InputError, match="lacks the joints"):
        lcr13_poses(Clip(("Hips",), np.zeros((1, 1, 3), np.float32)))
