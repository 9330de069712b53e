"""Batches: what is hidden, and that the truth is not."""

import numpy as np
import pytest

pytest.importorskip("torch")

from anchorpose.motion.posebert.codec import SIXD
from anchorpose.motion.posebert.kinematics import MIRRORED, measured_lengths
from anchorpose.training.posebert.batches import draw_batch, hidden_frames, median_lengths
from anchorpose.training.posebert.clips import Clips
from anchorpose.training.posebert.presets import Masking
from tests.motion.posebert.graphs import LENGTHS, rigid

from .noises import NOISE, PERFECT

NOTHING = Masking(single=0.0, blocks=0, longest=0, slow=0.0, short=0.0)


def test_a_perfect_detector_and_no_masks_give_the_truth():
    batch = draw_batch(Clips.of([rigid(200)]), PERFECT, NOTHING, 5, 32, np.random.default_rng(0))
    assert batch.known.all()
    np.testing.assert_allclose(batch.tokens[..., -SIXD:].unflatten(-1, (12, 6)), batch.rotations, atol=1e-5)
    lengths = measured_lengths(batch.joints3d.numpy())
    np.testing.assert_allclose(batch.lengths[:, None].expand(-1, 32, -1), lengths, rtol=3e-3)


@pytest.mark.parametrize("seed", range(5))
def test_every_window_keeps_a_frame_that_has_a_truth(seed):
    heavy = Masking(single=1.0, blocks=4, longest=40, slow=1.0, short=1.0)
    clips = Clips.of([rigid(20, 1), rigid(90, 2)])
    batch = draw_batch(clips, NOISE, heavy, 24, 32, np.random.default_rng(seed))
    assert batch.known.any(1).all()
    assert not (batch.known & ~batch.inside).any()
    for name, values in batch._asdict().items():
        assert values.isfinite().all(), name
    assert not batch.tokens[~batch.known].any()


def test_the_same_seed_gives_the_same_batch():
    clips = Clips.of([rigid(90)])
    a, b, c = (draw_batch(clips, NOISE, Masking(), 4, 16, np.random.default_rng(s)) for s in (1, 1, 2))
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert not (a.tokens == c.tokens).all()


def test_masks_do_what_they_say():
    rng = np.random.default_rng(0)
    assert not hidden_frames((50, 64), NOTHING, rng).any()
    single = hidden_frames((2000, 64), Masking(0.3, 0, 0, 0.0, 0.0), rng)
    assert single.mean() == pytest.approx(0.15, abs=0.01)
    slow = hidden_frames((100, 64), Masking(0.0, 0, 0, 1.0, 0.0), rng)
    assert (slow.sum(1) == 32).all()
    assert (slow[:, 1:] != slow[:, :-1]).all()
    blocks = hidden_frames((500, 64), Masking(0.0, 1, 20, 0.0, 0.0), rng)
    runs = [np.diff(np.flatnonzero(row)) for row in blocks if row.any()]
    assert all((r == 1).all() for r in runs)
    assert max(len(r) + 1 for r in runs) == 20
    short = hidden_frames((500, 64), Masking(0.0, 0, 0, 0.0, 1.0), rng)
    assert all((np.diff(np.flatnonzero(~row)) == 1).all() for row in short)


def test_lengths_are_medians_over_known_frames_and_both_sides():
    poses = np.stack([rigid(9, seed) for seed in range(3)])
    poses[:, :3] *= 2.0
    poses[:, 5] = np.nan
    found = median_lengths(poses)
    np.testing.assert_allclose(found, np.broadcast_to(LENGTHS, (3, 12)), atol=1e-9)
    np.testing.assert_array_equal(found, found[:, MIRRORED])
