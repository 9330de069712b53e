import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.synthesis.scenes import SceneWriter
from anchorpose.synthesis.sheet import contact_sheet, people_as_poses


def test_the_sheet_shows_the_pictures_with_skeletons(tmp_path, make_scene):
    writer = SceneWriter(tmp_path / "s", {}, suffix=".png")
    for i in range(3):
        writer.write(i, make_scene(i))
    out = contact_sheet(writer.finish(), tmp_path / "s" / "images", tmp_path / "sheet.png", count=3, tile=400)
    sheet = cv2.imread(str(out))
    assert sheet.shape[1] == 2 * 404
    # Orange limbs of left sides and blue ones of right sides are drawn, which the grey scenes have not.
    b, g, r = (sheet[..., k].astype(int) for k in range(3))
    assert ((r - b > 100) & (g > 90)).sum() > 100
    assert (b - r > 100).sum() > 100


def test_people_without_3d_leave_no_empty_view(tmp_path, make_scene):
    writer = SceneWriter(tmp_path / "s", {}, suffix=".png")
    scene = make_scene(0)
    flat = [replace(p, joints3d=np.full((13, 3), np.nan, np.float32)) for p in scene.people]
    writer.write(0, replace(scene, people=(flat[0],)))
    out = contact_sheet(writer.finish(), tmp_path / "s" / "images", tmp_path / "sheet.png", columns=1, tile=320)
    assert cv2.imread(str(out)).shape[:2] == (244, 324)  # the photograph alone, and the gap


def test_people_are_placed_and_outside_joints_marked(make_scene):
    scene = make_scene(0)
    poses = people_as_poses([p.as_person() for p in scene.people], 320, 240)
    assert (poses.joint_states[1] == JointState.OUTSIDE).any()
    assert (poses.joint_states[0] == JointState.HIDDEN).sum() == 1
    # The assumed field of view differs from the true one, the order in depth does not.
    assert np.isfinite(poses.translation).all()
    assert poses.translation[1, 0] > poses.translation[0, 0]


def test_nobody_to_show_is_said(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(InputError, match="nothing to preview"):
        contact_sheet(tmp_path / "a.json", tmp_path, tmp_path / "s.png")
