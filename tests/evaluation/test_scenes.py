import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses, body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.annotations import load_annotations
from anchorpose.evaluation.scenes import best_first, evaluate_scenes
from tests.evaluation.fakes import annotation, coco, poses, write

F = np.float32


def bodies(rng, n):
    joints = rng.normal(0, 0.4, (n, 13, 3))
    return (joints - body_centre(joints)[:, None]).astype(F)


def truth_file(tmp_path, joints2d, joints3d):
    people = [annotation(i + 1, 1, j, np.ones(13, bool)) | {"joints3d": d.tolist()}
              for i, (j, d) in enumerate(zip(joints2d, joints3d, strict=True))]  # fmt: skip
    return load_annotations(write(tmp_path, coco(1, people, LCR13)))


def predicted(joints2d, joints3d):
    n = len(joints2d)
    return Poses(LCR13, Camera.from_fov(640, 640), np.ones(n, F), np.zeros((n, 4), F), np.asarray(joints2d, F),
                 np.asarray(joints3d, F), np.zeros((n, 3), F), np.ones((n, 13), F),
                 np.ones((n, 13), np.uint8))  # fmt: skip


@pytest.fixture
def crowd(rng):
    joints2d = rng.uniform(0, 60, (3, 13, 2)) + np.array([[50, 50], [250, 60], [450, 70]])[:, None]
    return joints2d, bodies(rng, 3)


def test_the_truth_itself_in_any_order_has_no_error(tmp_path, crowd):
    joints2d, joints3d = crowd
    order = [2, 0, 1]
    table = evaluate_scenes(truth_file(tmp_path, *crowd), {"1.jpg": predicted(joints2d[order], joints3d[order])})
    assert table["people"] == table["found"] == 3
    assert table["MPJPE"] == pytest.approx(0, abs=1e-3)
    assert table["3DPCK"] == table["3DPCK_all"] == 1.0


def test_a_turned_and_scaled_pose_is_wrong_but_not_after_procrustes(tmp_path, crowd):
    joints2d, joints3d = crowd
    turned = 1.3 * joints3d @ Rotation.from_euler("y", 40, degrees=True).as_matrix().T
    table = evaluate_scenes(truth_file(tmp_path, *crowd), {"1.jpg": predicted(joints2d, turned)})
    by_hand = 1000 * np.mean([np.linalg.norm(t - j, axis=1).mean() for t, j in zip(turned, joints3d, strict=True)])
    assert table["MPJPE"] == pytest.approx(by_hand, rel=1e-4)
    assert table["PA-MPJPE"] == pytest.approx(0, abs=1e-2)
    share = np.mean(np.linalg.norm(turned - joints3d, axis=-1) <= 0.15)
    assert table["3DPCK"] == pytest.approx(share)


def test_people_who_were_not_found_count_only_in_all(tmp_path, crowd):
    joints2d, joints3d = crowd
    extra = np.concatenate([joints2d[:2], joints2d[:1] + 1, joints2d[2:] + 300])
    depths = np.concatenate([joints3d[:2], joints3d[:1] + 9, joints3d[2:]])
    table = evaluate_scenes(truth_file(tmp_path, *crowd), {"1.jpg": predicted(extra, depths)})
    # The second guess of person 0 is left over, the one far from person 2 is of nobody.
    assert table["found"] == 2
    assert table["MPJPE"] == pytest.approx(0, abs=1e-3)
    assert table["3DPCK"] == 1.0
    assert table["3DPCK_all"] == pytest.approx(2 / 3)


def test_nobody_found_and_no_3d_at_all(tmp_path, crowd, rng):
    empty = predicted(np.zeros((0, 13, 2)), np.zeros((0, 13, 3)))
    table = evaluate_scenes(truth_file(tmp_path, *crowd), {"1.jpg": empty})
    assert table["MPJPE"] is None
    assert table["3DPCK_all"] == 0
    flat = write(tmp_path, coco(1, [annotation(1, 1, crowd[0][0], np.ones(13, bool))], LCR13))
    with pytest.raises(InputError, match="nobody with 3D"):
        evaluate_scenes(load_annotations(flat), {"1.jpg": poses(crowd[0], skeleton=LCR13)})


def test_pairs_are_taken_most_similar_first_and_nobody_twice(rng):
    similarity = np.array([[0.9, 0.8, 0.7], [0.2, 0.6, 0.05]])
    assert best_first(similarity, 0.1).tolist() == [0, 1, -1]
    assert best_first(similarity[::-1], 0.1).tolist() == [1, 0, -1]
    assert similarity.max() == 0.9  # the argument stays as it is
    for n, m in ((0, 3), (3, 0), (4, 6), (6, 4)):
        table = rng.random((n, m))
        match = best_first(table, 0.3)
        taken, free = match[match >= 0], set(range(n)) - set(match.tolist())
        assert len(set(taken.tolist())) == len(taken)
        for person, guess in enumerate(match.tolist()):
            rivals = [table[i, person] for i in range(n) if i in free]
            assert not any(r >= 0.3 and (guess < 0 or r > table[guess, person]) for r in rivals)
