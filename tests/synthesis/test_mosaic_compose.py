"""Mosaics from real picture files whose limbs have known colours."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.coco import read_coco
from anchorpose.synthesis.mosaic.compose import Mosaicker, MosaicOptions, place, random_square
from anchorpose.synthesis.mosaic.matching import MatchLimits, PhotoIndex
from tests.synthesis.photographs import COLOURS, LIMBS, random_pose, write_photographs

OPTIONS = MosaicOptions(size=192, max_distance=10, limits=MatchLimits(depth=0, variety=0))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    rng = np.random.default_rng(0)
    poses = [random_pose(rng) for _ in range(120)]
    folder = tmp_path_factory.mktemp("mosaic")
    return PhotoIndex.of(read_coco(*write_photographs(folder, poses, rng)))


@pytest.fixture(scope="module")
def unmirrored(index):
    """The photographs as they are: in mirrored ones the right limbs have the left ones' colours."""
    n = len(index.files)
    return PhotoIndex(index.files, index.points[:n], index.weights[:n], index.depths[:n])


def limb_colours(scene):
    """(bones, 3) mean BGR in the middle of each limb."""
    joints2d = scene.people[0].joints2d
    found = []
    for a, b in LIMBS:
        x, y = np.floor((joints2d[a] + joints2d[b]) / 2).astype(int)
        found.append(scene.image[y - 1 : y + 2, x - 1 : x + 2].mean((0, 1)))
    return np.array(found)


@pytest.mark.parametrize("seed", range(6))
def test_labels_are_the_projection_and_lie_inside(seed):
    rng = np.random.default_rng(seed)
    pose = random_pose(rng)
    placed = place(pose, rng, OPTIONS)
    np.testing.assert_allclose(placed.camera.project(pose + placed.translation), placed.joints2d, atol=1e-3)
    low, high = OPTIONS.size * OPTIONS.margin, OPTIONS.size * (1 - OPTIONS.margin)
    assert (placed.joints2d > low - 2).all()
    assert (placed.joints2d < high + 2).all()
    # close to the scaled orthography in which photographs are compared
    flat = pose[:, :2] * placed.pixels_per_metre
    offset = (placed.joints2d - placed.joints2d.mean(0)) - (flat - flat.mean(0))
    assert np.abs(offset).max() < 0.05 * OPTIONS.size
    assert placed.camera.assumed


def test_the_limbs_lie_under_their_labels(unmirrored):
    """Each limb has its own colour in every photograph: it must be found where the label says, not the other side's."""
    mirror = [LIMBS.index((int(LCR13.flip[a]), int(LCR13.flip[b]))) for a, b in LIMBS]
    own, swapped = [], []
    for seed in range(8):
        rng = np.random.default_rng([2, seed])
        scene = Mosaicker(unmirrored, (), OPTIONS)(random_pose(rng), rng)
        nearest = np.abs(limb_colours(scene)[:, None] - COLOURS[None]).mean(-1).argmin(1)
        own.append((nearest == np.arange(len(LIMBS))).mean())
        swapped.append((nearest == mirror).mean())
    assert np.mean(own) > 0.85
    assert np.mean(swapped) < 0.08


def test_in_mirrored_photographs_the_limbs_change_sides(index):
    n = len(index.files)
    # rows below n are then never within reach of the matching
    nowhere = np.full_like(index.points[:n], np.nan)
    only = replace(index, points=np.concatenate([nowhere, index.points[n:]]))
    mirror = [LIMBS.index((int(LCR13.flip[a]), int(LCR13.flip[b]))) for a, b in LIMBS]
    found = []
    for seed in range(4):
        rng = np.random.default_rng([3, seed])
        scene = Mosaicker(only, (), OPTIONS)(random_pose(rng), rng)
        assert all(source.endswith(" mirrored") for source in scene.people[0].extra["sources"])
        nearest = np.abs(limb_colours(scene)[:, None] - COLOURS[None]).mean(-1).argmin(1)
        found.append((nearest == mirror).mean())
    assert np.mean(found) > 0.8


def test_a_photographs_own_pose_gives_the_photograph_back(tmp_path):
    rng = np.random.default_rng(5)
    pose = random_pose(rng)
    annotations, images = write_photographs(tmp_path, [pose], rng)
    index = PhotoIndex.of(read_coco(annotations, images))
    joints2d = np.stack([index.points[0].real, index.points[0].imag], -1)
    scene = Mosaicker(index, (), replace(OPTIONS, limits=MatchLimits(rotation=0.2, depth=0)))(pose, rng)
    person = scene.people[0]
    scale = np.ptp(person.joints2d, axis=0).max() / np.ptp(joints2d, axis=0).max()
    shift = person.joints2d.mean(0) - 0.5 - scale * (joints2d.mean(0) - 0.5)
    matrix = np.column_stack([np.eye(2) * scale, shift])
    photograph = cv2.imread(str(images / "1.png"))
    wanted = cv2.warpAffine(photograph, matrix, (192, 192)).astype(float)
    x1, y1, x2, y2 = np.round(person.box).astype(int)
    error = np.abs(scene.image.astype(float) - wanted)[y1:y2, x1:x2]
    assert error.mean() < 6
    assert person.extra["sources"] == ["1.png"] * 13


def test_the_scene_says_what_it_is_made_of(index, tmp_path):
    background = tmp_path / "lawn.png"
    cv2.imwrite(str(background), np.full((50, 70, 3), (20, 160, 40), np.uint8))
    rng = np.random.default_rng(3)
    pose = random_pose(rng)
    scene = Mosaicker(index, [background], OPTIONS)(pose, rng)
    person = scene.people[0]
    names = {file.name for file in index.files}
    assert {s.removesuffix(" mirrored") for s in person.extra["sources"]} <= names
    assert len(person.extra["sources"]) == len(person.extra["distances"]) == 13
    assert scene.extra["background"] == "lawn.png"
    assert scene.extra["distance"] == pytest.approx(np.mean(person.extra["distances"]), abs=1e-3)
    assert (person.states == JointState.VISIBLE).all()
    np.testing.assert_array_equal(person.joints3d, pose)
    assert scene.image.shape == (192, 192, 3)
    assert scene.image.dtype == np.uint8


def test_the_same_seed_gives_the_same_mosaic(index):
    pose = random_pose(np.random.default_rng(9))
    first, again, other = (Mosaicker(index, (), OPTIONS)(pose, np.random.default_rng(s)).image for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_poses_that_no_photograph_fits_are_dropped(index):
    rng = np.random.default_rng(0)
    pose = random_pose(rng)
    assert Mosaicker(index, (), replace(OPTIONS, max_distance=0.001))(pose, rng) is None
    unreachable = replace(OPTIONS, limits=MatchLimits(enlargement=0.5, reduction=0.499))
    assert Mosaicker(index, (), unreachable)(pose, rng) is None


def test_stray_limbs_are_cut_away(index):
    """Colours of limbs far from the pose: photographs' own limbs that the pose does not have."""
    counts = []
    limits = MatchLimits(rotation=3, depth=0, variety=0)
    for reach in (0.0, 0.12):
        coloured = 0
        for seed in range(6):
            rng = np.random.default_rng([4, seed])
            scene = Mosaicker(index, (), replace(OPTIONS, reach=reach, limits=limits))(random_pose(rng, bend=1.2), rng)
            body = np.zeros((192, 192), np.uint8)
            for a, b in LIMBS:
                ends = [np.round(scene.people[0].joints2d[k]).astype(int).tolist() for k in (a, b)]
                cv2.line(body, *ends, 1, 40)
            saturation = cv2.cvtColor(scene.image, cv2.COLOR_BGR2HSV)[..., 1]
            coloured += int(((saturation > 60) & (body == 0)).sum())
        counts.append(coloured)
    assert counts[1] < 0.7 * counts[0]


def test_a_missing_photograph_is_named(tmp_path):
    rng = np.random.default_rng(0)
    pose = random_pose(rng)
    annotations, images = write_photographs(tmp_path, [pose], rng)
    index = PhotoIndex.of(read_coco(annotations, images))
    (images / "1.png").unlink()
    with pytest.raises(InputError, match=r"1\.png does not exist"):
        Mosaicker(index, (), OPTIONS)(pose, rng)


def test_random_squares_have_no_bars_and_the_pictures_shape():
    picture = np.zeros((40, 90, 3), np.uint8)
    picture[..., 0] = np.arange(90)
    squares = [random_square(picture, 20, np.random.default_rng(s)) for s in range(5)]
    for square in squares:
        assert square.shape == (20, 20, 3)
        assert np.ptp(square[..., 0].astype(int)) == pytest.approx(38, abs=2)
    assert len({int(s[0, 0, 0]) for s in squares}) > 1


@pytest.mark.slow
def test_five_mosaics_a_second_on_one_core(tmp_path):
    rng = np.random.default_rng(0)
    few = PhotoIndex.of(read_coco(*write_photographs(tmp_path, [random_pose(rng) for _ in range(1000)], rng)))
    points, files = np.tile(few.points, (6, 1)), few.files * 6  # 6,000 people, the pictures are shared
    index = PhotoIndex(files, points, np.tile(few.weights, (6, 1, 1)), np.tile(few.depths, (6, 1)))
    mosaicker = Mosaicker(index, (), replace(OPTIONS, size=256, limits=MatchLimits()))
    before, start = cv2.getNumThreads(), time.process_time()
    cv2.setNumThreads(1)
    try:
        for _ in range(20):
            mosaicker(random_pose(rng), rng)
        assert time.process_time() - start < 4
    finally:
        cv2.setNumThreads(before)
