"""Frame by frame: never later than the delay, the same people, bounded memory."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from anchorpose.core.errors import InputError
from anchorpose.motion.posebert.kinematics import measured_lengths
from anchorpose.motion.posebert.model import PoseBert
from anchorpose.motion.posebert.online import MOST_DELAY, OnlineRefiner
from anchorpose.motion.tracks import Tracks

from .graphs import FRAMES, echo, rigid, tracks_of


@pytest.fixture
def model(tmp_path):
    return PoseBert(echo(tmp_path / "echo.onnx"))


def run(tracks, refiner):
    """[(frames given in, time given out, poses)]"""
    done = []
    for number, (time, poses) in enumerate(tracks.frames(), 1):
        done += [(number, *out) for out in refiner.update(time, poses)]
    return done + [(None, *out) for out in refiner.flush()]


@pytest.mark.parametrize("delay", [0, 3, MOST_DELAY])
@pytest.mark.parametrize("step", [1 / 30, 1 / 15, 1 / 5])
def test_every_frame_comes_out_once_in_order_after_the_delay(model, delay, step):
    tracks = tracks_of([rigid(3 * FRAMES)], step)
    done = run(tracks, OnlineRefiner(model, step, delay))
    np.testing.assert_array_equal([time for _, time, _ in done], tracks.times)
    late = min(delay, round((FRAMES - 1) / 30 / step - 0.4))  # a window holds no more
    for index, (number, _, poses) in enumerate(done):
        assert number in (index + 1 + late, None)
        np.testing.assert_allclose(poses.joints3d[0], tracks[1].joints3d[index], atol=1e-5)


def test_what_comes_later_than_the_delay_changes_nothing(model):
    poses = rigid(60)
    other = poses.copy()
    other[40:] = rigid(20, 8)
    noisy = [tracks_of([p + np.random.default_rng(0).normal(0, 0.02, p.shape)]) for p in (poses, other)]
    a, b = (run(tracks, OnlineRefiner(model, 1 / 30, 5)) for tracks in noisy)
    for (_, time, left), (_, _, right) in list(zip(a, b, strict=True))[:35]:
        np.testing.assert_array_equal(left.joints3d, right.joints3d, err_msg=f"{time}")


def test_bones_stay_once_they_are_given_out(model):
    noisy = rigid(50) + np.random.default_rng(1).normal(0, 0.02, (50, 13, 3))
    done = run(tracks_of([noisy]), OnlineRefiner(model, 1 / 30))
    lengths = measured_lengths(np.stack([poses.joints3d[0] for _, _, poses in done]))
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-6)


def test_people_who_come_and_go_keep_their_numbers_and_places(model):
    here, gone = rigid(40, 1), rigid(40, 2)
    gone[10:20] = np.nan
    tracks = tracks_of([here, gone])
    done = run(tracks, OnlineRefiner(model, 1 / 30))
    for (_, _, poses), (_, before) in zip(done, tracks.frames(), strict=True):
        np.testing.assert_array_equal(poses.track_ids, before.track_ids)
        np.testing.assert_array_equal(poses.joints2d, before.joints2d)
        np.testing.assert_allclose(poses.joints3d, before.joints3d, atol=1e-5)


def test_frames_further_apart_than_a_window_come_out_too(model):
    """A camera that stops for a while: whoever waits is older than all that the window holds."""
    tracks = tracks_of([rigid(40, swing=0.05)])
    times = tracks.times.copy()
    times[20:] += 3.0
    times[30:] += 0.45  # shorter than a window, longer than the smoothing
    late = Tracks.from_frames((t, poses) for t, (_, poses) in zip(times, tracks.frames(), strict=True))
    done = run(late, OnlineRefiner(model, 1 / 30))
    np.testing.assert_array_equal([time for _, time, _ in done], times)
    for (_, _, poses), before in zip(done, tracks[1].joints3d, strict=True):
        np.testing.assert_allclose(poses.joints3d[0], before, atol=0.1)


def test_memory_is_bounded(model):
    refiner = OnlineRefiner(model, 1 / 30)
    poses = rigid(1)[0]
    crowd = tracks_of([np.broadcast_to(poses, (12 * FRAMES, 13, 3))])
    for time, people in crowd.frames():
        refiner.update(time, people)
        assert sum(len(p.rows) for p in refiner._people.values()) <= FRAMES + 1
    many = tracks_of([np.where((np.arange(400) // 10 == k)[:, None, None], poses, np.nan) for k in range(40)], 0.1)
    for time, people in many.frames():
        refiner = refiner if time else OnlineRefiner(model, 0.1)
        refiner.update(time, people)
        assert len(refiner._people) <= 4, "those not seen for two seconds are forgotten"


def test_wrong_input_is_said_in_one_line(model):
    for step, delay in ((1 / 30, 9), (1 / 30, -1), (0.0, 2)):
        with pytest.raises(InputError, match="wanted 0 to 8 frames"):
            OnlineRefiner(model, step, delay)
    refiner = OnlineRefiner(model, 1 / 30)
    frames = list(tracks_of([rigid(3)]).frames())
    refiner.update(*frames[1])
    with pytest.raises(InputError, match="wanted later times"):
        refiner.update(*frames[0])
