import json

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import SMPL24
from anchorpose.datasets.agora import FULL_SIZE, read_agora
from tests.datasets.actors import bodies, check_person, picture, project

FOCAL = 5333.3  # 50 mm
CENTRE = (FULL_SIZE[0] / 2, FULL_SIZE[1] / 2)


def write_table(root, joints=127, people=3, axes=(1, 1, 1), name="validation_0_SMPLX_withjv.json"):
    """What pandas' to_json(orient="records") makes of the table: 127 joints for SMPL-X, 45 for SMPL."""
    rows, actors = [], []
    for i in range(2):
        body = bodies(SMPL24, people, seed=i, depth=12.0)
        actors.append(body)
        whole = np.concatenate([body[:, :22], np.tile(body[:, 15:16], (1, joints - 22, 1))], 1)
        image = f"ag_validationset_renderpeople_bfh_brushifyforest_5_15_{i:05d}.png"
        rows.append({"imgPath": image, "gt_joints_2d": project(whole, FOCAL, CENTRE).tolist(),
                     "gt_joints_3d": (whole * axes).tolist(), "occlusion": [10.0, 95.0, 0.0][:people],
                     "isValid": [True, False, True][:people], "kid": [False] * people, "camX": 0.0})  # fmt: skip
        picture(root / "validation" / image)
    path = root / name
    path.write_text(json.dumps(rows))
    return path, actors


@pytest.mark.parametrize("joints", [127, 45])
def test_valid_people_have_joints_and_the_others_a_box(tmp_path, joints):
    path, actors = write_table(tmp_path, joints)
    samples = read_agora(path, tmp_path / "validation")
    assert [len(s.people) for s in samples] == [3, 3]
    assert samples[0].exhaustive
    invalid = samples[1].people[1]
    assert not invalid.labelled.any()
    assert np.isnan(invalid.joints3d).all()
    assert (invalid.box[2:] > invalid.box[:2]).all()
    for k in (0, 2):
        check_person(samples[1].people[k], actors[1][k], SMPL24, FOCAL, CENTRE)


def test_smaller_pictures_scale_the_2d_only(tmp_path):
    path, actors = write_table(tmp_path)
    person = read_agora(path, tmp_path / "validation", (1280, 720))[0].people[0]
    check_person(person, actors[0][0], SMPL24, FOCAL / 3, (640.0, 360.0))


@pytest.mark.parametrize("axes", [(1, -1, 1), (1, -1, -1), (1, 1, -1), (-1, 1, 1)])
def test_other_axes_are_refused(tmp_path, axes):
    path, _ = write_table(tmp_path, axes=axes)
    with pytest.raises(InputError, match="the 3D misses the 2D"):
        read_agora(path, tmp_path / "validation")


def test_what_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(InputError, match=r"is a pickle, which may run code.*to_json"):
        read_agora(tmp_path / "train_0_withjv.pkl", tmp_path)
    with pytest.raises(InputError, match=r"cannot read.*get it from agora\.is\.tue\.mpg\.de"):
        read_agora(tmp_path / "train_0_withjv.json", tmp_path)
    path, _ = write_table(tmp_path)
    rows = json.loads(path.read_text())
    (tmp_path / "validation" / rows[0]["imgPath"]).unlink()
    with pytest.raises(InputError, match="lacks 1 of 2 pictures"):
        read_agora(path, tmp_path / "validation")
    for content, message in [
        ("[", "is not JSON"), ("{}", "no list of rows with imgPath"), ('[{"imgPath": "a.png"}]', "no list of rows"),
        (json.dumps([rows[0] | {"gt_joints_3d": [[[1, 2, 3]]] * 3}]), "no joints of SMPL or SMPL-X"),
    ]:  # fmt: skip
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            read_agora(path, tmp_path / "validation")


def test_invalid_people_may_stand_anywhere(tmp_path):
    path, actors = write_table(tmp_path)
    rows = json.loads(path.read_text())
    rows[0]["gt_joints_3d"][1] = (np.array(rows[0]["gt_joints_3d"][1]) * -1).tolist()
    path.write_text(json.dumps(rows))
    people = read_agora(path, tmp_path / "validation")[0].people
    check_person(people[2], actors[0][2], SMPL24, FOCAL, CENTRE)
    rows[0]["isValid"] = [False] * 3
    path.write_text(json.dumps(rows))
    nobody = read_agora(path, tmp_path / "validation")[0].people
    assert len(nobody) == 3
    assert not any(person.labelled.any() for person in nobody)


def test_a_picture_without_people_is_kept(tmp_path):
    path, _ = write_table(tmp_path)
    rows = json.loads(path.read_text())
    empty = rows[0] | {"gt_joints_2d": [], "gt_joints_3d": [], "isValid": [], "occlusion": []}
    path.write_text(json.dumps([empty]))
    assert read_agora(path, tmp_path / "validation")[0].people == ()
