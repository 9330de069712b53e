import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.poses import body_centre
from anchorpose.core.skeleton import LCR13
from anchorpose.lcrnet.anchors import build_anchors, random_views
from anchorpose.synthesis.distinct import distinct
from anchorpose.synthesis.library import PoseLibrary, build_library, read_clip
from tests.synthesis.test_bvh import person_bvh
from tests.synthesis.test_deepmimic import frame, write
from tests.synthesis.test_mapping import standing


def adult():
    """(13, 3) an upright adult who faces us, relative to the body centre."""
    points = standing() | {"head_top": (0.0, -0.81, 0.0)}
    pose = np.array([points[j] for j in LCR13.joints], np.float32)
    return pose - body_centre(pose[None])[0]


def crowd(n, spread=0.05, seed=0):
    """(n, 13, 3) adults with joints moved at random, turned about the vertical at random."""
    rng = np.random.default_rng(seed)
    poses = adult() + rng.normal(scale=spread, size=(n, 13, 3))
    turns = Rotation.from_euler("y", rng.uniform(-np.pi, np.pi, (n, 1))).as_matrix().reshape(n, 3, 3)
    poses = np.einsum("nij,nkj->nki", turns, poses)
    return (poses - body_centre(poses)[:, None]).astype(np.float32)


def library_of(poses, clips=1):
    index = (np.arange(len(poses)) % clips).astype(np.int32)
    return PoseLibrary(poses, tuple(f"clip{i}" for i in range(clips)), index)


def apart(a, b):
    """Mean joint distance of two poses that are turned so that right shoulder and hip lie straight to the left."""
    turned = []
    for pose in (a, b):
        left, right = (LCR13.indices(f"{s}_shoulder", f"{s}_hip") for s in ("left", "right"))
        across = (pose[right].sum(0) - pose[left].sum(0)).astype(np.float64)
        yaw = np.arctan2(across[2], -across[0])
        turned.append(pose @ Rotation.from_euler("y", -yaw).as_matrix().T)
    return np.linalg.norm(turned[0] - turned[1], axis=-1).mean()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 25), st.floats(0.02, 0.2))
def test_distinct_keeps_poses_apart_and_loses_none_that_is_new(seed, n, distance):
    poses = crowd(n, seed=seed)
    kept = distinct(poses, distance, seed)
    for i in kept:
        assert all(apart(poses[i], poses[j]) >= distance - 1e-5 for j in kept if j != i)
    for i in set(range(n)) - set(kept.tolist()):
        assert min(apart(poses[i], poses[j]) for j in kept) < distance + 1e-5


def test_distinct_works_across_blocks():
    poses = np.concatenate([crowd(700, seed=1), crowd(700, seed=1)])  # each pose twice, far apart in the list
    kept = distinct(poses, 0.01, 3)
    assert len(kept) == 700
    assert len(set(kept % 700)) == 700
    assert_array_equal(kept, distinct(poses, 0.01, 3))
    assert_array_equal(distinct(poses, 0), np.arange(1400))


def test_a_turned_pose_is_a_duplicate_and_a_mirrored_or_moved_one_is_not():
    pose = crowd(1, spread=0.1)[0]
    turned = (pose @ Rotation.from_euler("y", 2.0).as_matrix().T).astype(np.float32)
    mirrored = pose[LCR13.flip] * np.array([-1, 1, 1], np.float32)
    tilted = (pose @ Rotation.from_euler("x", 0.5).as_matrix().T).astype(np.float32)
    assert len(distinct(np.stack([pose, turned]), 0.01)) == 1
    assert len(distinct(np.stack([pose, mirrored, tilted]), 0.01)) == 3


def test_on_the_side_too_a_turned_pose_is_a_duplicate():
    lying = (adult() @ Rotation.from_euler("z", np.pi / 2).as_matrix().T).astype(np.float32)
    turned = (lying @ Rotation.from_euler("y", 1.2).as_matrix().T).astype(np.float32)
    assert len(distinct(np.stack([lying, turned]), 0.01)) == 1


def test_a_library_comes_back_from_its_file(tmp_path):
    library = library_of(crowd(20), clips=3)
    library.save(tmp_path / "poses.npz")
    back = PoseLibrary.load(tmp_path / "poses.npz")
    assert len(back) == 20
    assert back.sources == library.sources
    for name in ("joints3d", "source_index", "frames"):
        assert_array_equal(getattr(back, name), getattr(library, name))
        assert getattr(back, name).dtype == getattr(library, name).dtype
    assert_array_equal(back.select(np.arange(20) % 3 == 1).joints3d, library.joints3d[1::3])


def test_mistakes_in_library_files_are_named(tmp_path):
    path = tmp_path / "poses.npz"
    with pytest.raises(InputError, match="cannot read"):
        PoseLibrary.load(path)
    np.savez(path, joints3d=np.zeros((1, 13, 3)))
    with pytest.raises(InputError, match="holds no pose library"):
        PoseLibrary.load(path)
    path.write_text("no npz")
    with pytest.raises(InputError, match="holds no pose library"):
        PoseLibrary.load(path)
    np.savez(path, joints3d=np.zeros((1, 12, 3)), sources=np.array(["a"]), source_index=[0], frames=[0])
    with pytest.raises(InputError, match="is broken"):
        PoseLibrary.load(path)
    np.savez(path, joints3d=np.zeros((1, 13, 3)), sources=np.array(["a"]), source_index=[1], frames=[0])
    with pytest.raises(InputError, match="outside sources"):
        PoseLibrary.load(path)
    with pytest.raises(InputError, match=r"ends in \.npz"):
        library_of(crowd(2)).save(tmp_path / "poses.txt")


def test_normalised_poses_have_one_body_and_the_same_directions():
    poses = np.concatenate([crowd(30) * 0.8, crowd(30, seed=1) * 1.2])
    library = PoseLibrary(poses, ("child", "giant"), np.repeat(np.arange(2, dtype=np.int32), 30))
    same = library.normalised()
    for parent, child in LCR13.bones:
        before, after = (lib.joints3d[:, child] - lib.joints3d[:, parent] for lib in (library, same))
        cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
        assert cosine.min() > 0.9999
        if not LCR13.joints[child].endswith("hip"):
            length = np.linalg.norm(after, axis=-1)
            mirrored = np.linalg.norm(
                same.joints3d[:, LCR13.flip[child]] - same.joints3d[:, LCR13.flip[parent]], axis=-1
            )
            assert_allclose(length, length[0], rtol=1e-4)
            assert_allclose(length, mirrored, rtol=1e-4)
    torso = LCR13.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    size = np.linalg.norm(same.joints3d[:, torso], axis=-1).mean(1)
    assert np.median(size[:30]) == pytest.approx(np.median(size[30:]), rel=1e-3)
    assert_allclose(body_centre(same.joints3d), 0, atol=1e-5)
    assert len(library.select(np.zeros(60, bool)).normalised()) == 0


def test_a_library_is_built_from_files_of_several_formats(tmp_path):
    folder = tmp_path / "mocap"
    folder.mkdir()
    person_bvh(folder / "a.bvh", 40, np.random.default_rng(0))
    write(folder / "b.txt", [frame(right_knee=-k / 10) for k in range(20)] * 2)
    (folder / "broken.bvh").write_text("HIERARCHY\n")
    report = build_library([folder], tmp_path / "poses.npz", min_distance=0.001)
    assert (report.files, report.frames, report.broken) == (2, 80, 0)
    assert report.duplicates == 20  # the second half of b.txt, as the BVH's poses are random
    assert [name for name, _ in report.failed] == [str(folder / "broken.bvh")]
    assert "no MOTION" in report.failed[0][1]
    library = PoseLibrary.load(tmp_path / "poses.npz")
    assert library.sources == ("mocap/a.bvh", "mocap/b.txt")
    assert_array_equal(library.joints3d, report.library.joints3d)
    # every pose says where it comes from
    for i in (0, len(library) - 1):
        source = read_clip(folder / library.sources[library.source_index[i]].split("/")[1])
        assert_allclose(library.joints3d[i], source.poses[source.frames == library.frames[i]][0])
    assert report.diversity.poses == len(library) == 60
    assert report.diversity.clips == 2
    lines = report.lines()
    assert lines[0] == f"{tmp_path / 'poses.npz'}: 60 poses of 80 frames in 2 files"
    assert lines[-1].startswith(f"not used             {folder / 'broken.bvh'}:1: found no MOTION")


def test_the_same_seed_builds_the_same_library(tmp_path):
    clip = person_bvh(tmp_path / "a.bvh", 200, np.random.default_rng(0), turn=20)
    first, again, other = (
        build_library([clip], tmp_path / "p.npz", min_distance=0.1, seed=s).library.joints3d for s in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_frames_with_broken_bones_are_left_out(tmp_path):
    path = person_bvh(tmp_path / "a.bvh", 30, np.random.default_rng(0))
    lines = path.read_text().replace("CHANNELS 3 Yrotation Xrotation Zrotation", "@", 1).splitlines()
    at = next(i for i, line in enumerate(lines) if "LeftForeArm" in line) + 3
    lines[at] = lines[at].replace("CHANNELS 3", "CHANNELS 6 Xposition Yposition Zposition")
    text = "\n".join(lines).replace("@", "CHANNELS 3 Yrotation Xrotation Zrotation")
    names = [line.split(":")[-1] for line in lines if "JOINT" in line or "ROOT" in line]
    column = 3 + 3 * names.index("LeftForeArm")
    head, rows = text.split("Frame Time: 0.033333\n")
    moved = []
    for i, row in enumerate(rows.splitlines()):
        values = row.split()
        upper_arm = "60" if i == 7 else "28"
        moved.append(" ".join([*values[:column], upper_arm, "0", "0", *values[column:]]))
    path.write_text(f"{head}Frame Time: 0.033333\n" + "\n".join(moved))
    clip = read_clip(path)
    assert clip.broken == 1
    assert_array_equal(clip.frames, [i for i in range(30) if i != 7])
    assert_array_equal(read_clip(path, stride=7).frames, [0, 14, 21, 28])


def test_files_that_are_no_person_fail_with_a_reason(tmp_path):
    person_bvh(tmp_path / "ant.bvh", 5, np.random.default_rng(0), unit=1e-6)
    with pytest.raises(InputError, match=r"found no usable file among 1; the first: .*ant\.bvh: found limbs of"):
        build_library([tmp_path / "ant.bvh"], tmp_path / "p.npz")
    with pytest.raises(InputError, match="found no motion capture"):
        build_library([tmp_path / "none"], tmp_path / "p.npz")
    with pytest.raises(InputError, match=r"ends in \.npz"):
        build_library([tmp_path / "ant.bvh"], tmp_path / "p")
    with pytest.raises(InputError, match="least distance nan"):
        build_library([tmp_path / "ant.bvh"], tmp_path / "p.npz", min_distance=float("nan"))
    assert not (tmp_path / "p.npz").exists()


def test_anchor_poses_are_built_from_a_library():
    pytest.importorskip("sklearn")
    poses = np.concatenate([crowd(40, 0.01), (crowd(40, 0.01) @ Rotation.from_euler("x", 1.5).as_matrix().T)])
    library = library_of(poses.astype(np.float32))
    anchors = build_anchors(random_views(library.joints3d, 3, np.random.default_rng(0)), 6, 0)
    assert len(anchors) == 6
    head = anchors.joints3d[:, LCR13.index("head_top"), 1]
    assert head.min() < -0.4  # somebody upright
    assert head.max() > -0.3  # somebody lying
