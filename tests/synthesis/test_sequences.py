"""Rendered sequences: the same every time, exact truth, people who stay themselves."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.synthesis.rendering.assets import Assets
from anchorpose.synthesis.rendering.chart import Chart
from anchorpose.synthesis.sequences import SequenceOptions, draw_sequence, read_sequence, render_sequences
from anchorpose.synthesis.walking import Gait

from .bodies import walking
from .test_walking import write_bvh
from .tiny_body import tiny_pool

pytest.importorskip("warp")

SMALL = SequenceOptions(width=96, height=72, frames=6, people=(2, 3), panning=1.0, objects=1.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("backgrounds", "textures"):
        (folder / name).mkdir()
        for i in range(3):
            noise = cv2.GaussianBlur(rng.integers(0, 255, (60, 70, 3), np.uint8), (0, 0), 3)
            cv2.imwrite(str(folder / name / f"{i}.png"), noise)
    (folder / "cache" / "anchorpose").mkdir(parents=True)
    tiny_pool().save(folder / "cache" / "anchorpose" / "bodies-2-0.npz")
    write_bvh(folder / "walk.bvh", 150, 1 / 60)
    return folder


@pytest.fixture(scope="module")
def assets(folders):
    pool = tiny_pool()
    pictures = {n: tuple(sorted((folders / n).iterdir())) for n in ("backgrounds", "textures")}
    return Assets(pool, Chart.of(pool), np.zeros((0, 13, 3), np.float32), (), pictures["backgrounds"],
                  pictures["textures"])  # fmt: skip


@pytest.fixture(scope="module")
def frames(assets):
    return list(draw_sequence(assets, (Gait(walking(16), 15.0),), 0, 5, SMALL))


def test_the_same_again(assets, frames):
    for a, b in zip(frames, draw_sequence(assets, (Gait(walking(16), 15.0),), 0, 5, SMALL), strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        assert a.poses.to_dict() == b.poses.to_dict()
    other = next(draw_sequence(assets, (Gait(walking(16), 15.0),), 1, 5, SMALL))
    assert (other.image != frames[0].image).any()


def test_truth_is_exact_and_people_move_a_little(frames):
    last = {}
    for number, frame in enumerate(frames):
        poses = frame.poses
        assert frame.time == number / 15
        np.testing.assert_allclose(poses.camera.project(poses.joints3d_camera), poses.joints2d, atol=0.01)
        # world: nobody is below the ground, heads are above hips
        world = poses.joints3d_camera @ frame.view.rotation - [0, frame.view.height, 0]
        assert world[..., 1].max() < 0.02
        assert (world[:, 12, 1] < world[:, 4, 1]).all()
        for k, place in zip(poses.track_ids.tolist(), world.mean(1), strict=True):
            assert np.linalg.norm(place - last.get(k, place)) < 4.0 / 15
            last[k] = place
        assert (poses.joint_states != JointState.OUTSIDE).any(1).all()
    assert len(last) >= 2


def test_the_camera_pans_and_the_far_background_follows(frames):
    turns = [np.arccos(np.clip((np.trace(a.view.rotation.T @ b.view.rotation) - 1) / 2, -1, 1))
             for a, b in pairwise(frames)]  # fmt: skip
    assert 0 < max(turns) < np.radians(8) / 15 * 2


def test_on_disk_and_back_and_resumed(folders, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folders / "cache"))
    out = folders / "out"

    def run(count, seed=1):
        return render_sequences((str(folders / "walk.bvh"),), folders / "backgrounds", folders / "textures", out, count,
                                seed=seed, bodies=2, options=SMALL)  # fmt: skip

    assert run(1).rendered == 1
    before = (out / "000" / "truth.json").read_bytes()
    result = run(2)
    assert (result.rendered, result.frames, len(result.folders)) == (1, 12, 2)
    assert (out / "000" / "truth.json").read_bytes() == before
    frames = list(read_sequence(out / "001"))
    assert len(frames) == 6
    assert all(f.image.shape == (72, 96, 3) and f.poses.track_ids is not None for f in frames)
    with pytest.raises(InputError, match="other settings"):
        run(1, seed=2)
    with pytest.raises(InputError, match="at least 1"):
        run(0)


def test_bad_options_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="range within"):
        SequenceOptions(people=(3, 2))
    with pytest.raises(InputError, match="at least 1 of 32"):
        SequenceOptions(frames=0)
    with pytest.raises(InputError, match="render the sequences first"):
        next(read_sequence(tmp_path))
