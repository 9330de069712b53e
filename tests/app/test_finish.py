"""From results.jsonl to tracks.jsonl and exports, against the exact truth of the scene."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anchorpose.app.edits import Edit
from anchorpose.app.finish import FinishOptions, Summary, finish, level, read_floor, stored
from anchorpose.app.tracks_file import read_track_file, to_clip
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.motion.tracks import Tracks
from tests.app.scene import COUNT, DOWN, LEAP, MISSED, RATE, WRIST, frames, lines, truth, write_run
from tests.motion.people import CAMERA, STANDING

ANKLES = LCR13.indices("left_ankle", "right_ankle")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def made(folder: Path, *edits: Edit, **options: object) -> Tracks:
    finish(folder, FinishOptions(**options), edits)  # type: ignore[arg-type]
    return read_track_file(folder / "tracks.jsonl").tracks


def away(tracks: Tracks, number: int) -> tuple[float, float]:
    """Mean millimetres of the pose and of the place, in frames that were found."""
    track, (joints, places) = tracks[number], truth(number)
    found = ~track.filled
    rows = np.rint(track.times * RATE).astype(int)[found]
    pose = np.linalg.norm(track.joints3d[found] - joints[rows], axis=-1).mean()
    return float(1000 * pose), float(1000 * np.linalg.norm(track.translation[found] - places[rows], axis=-1).mean())


def jitter(tracks: Tracks, number: int) -> float:
    whole = tracks[number].joints3d + tracks[number].translation[:, None]
    return float(1000 * np.linalg.norm(np.diff(whole, 2, axis=0), axis=-1).mean())


def test_everything_gets_nearer_to_the_truth(folder: Path) -> None:
    before = (folder / "results.jsonl").read_bytes()
    summary = finish(folder)
    assert summary == Summary(COUNT, pytest.approx(74 / RATE), 3, 1, True, (folder / "tracks.jsonl",))
    raw, done = (read_track_file(folder / name).tracks for name in ("results.jsonl", "tracks.jsonl"))
    assert [p.id for p in done.people] == [1, 2, 3]
    for number in (1, 2, 3):
        for a, b in zip(away(done, number), away(raw, number), strict=True):
            assert a < 0.8 * b
        assert jitter(done, number) < 0.15 * jitter(raw, number)
    leap = np.linalg.norm(done[3].joints3d[LEAP, WRIST] - truth(3)[0][LEAP, WRIST])
    assert leap < 0.1
    bones = np.linalg.norm(done[2].joints3d[:, 0] - done[2].joints3d[:, 2], axis=-1)
    assert np.ptp(bones) < 1e-3  # same person, same bones; but for feet that stand
    assert (folder / "results.jsonl").read_bytes() == before


def test_gaps_are_filled_up_to_the_stated_length_and_marked(folder: Path) -> None:
    gap = (len(MISSED) + 1) / RATE
    assert len(made(folder, fill=gap - 0.01)[2]) == COUNT - len(MISSED)
    track = made(folder, fill=gap + 0.01)[2]
    assert np.flatnonzero(track.filled).tolist() == list(MISSED)
    assert np.linalg.norm(track.translation - truth(2)[1], axis=-1)[MISSED].max() < 0.1
    assert not made(folder, fill=0)[2].filled.any()


@pytest.mark.parametrize("name", ["savgol", "butterworth", "one-euro"])
def test_filters_are_calmer_than_none(folder: Path, name: str) -> None:
    calm, none = made(folder, filter=name), made(folder, filter="none")
    for number in (1, 2, 3):
        assert jitter(calm, number) < 0.6 * jitter(none, number)
        assert away(calm, number)[0] < away(none, number)[0]
    raw = read_track_file(folder / "results.jsonl").tracks
    np.testing.assert_array_equal(none[1].joints2d, raw[1].joints2d)


def test_short_people_are_left_out(folder: Path) -> None:
    assert [p.id for p in made(folder, min_seconds=0).people] == [1, 2, 3, 9]
    assert [p.id for p in made(folder, min_seconds=0.08).people] == [1, 2, 3, 9]
    assert [p.id for p in made(folder, min_seconds=0.12).people] == [1, 2, 3]
    assert [p.id for p in made(folder, min_seconds=100).people] == [1, 3]  # the whole video is as much as can be asked


def test_known_heights_scale_people_and_their_distance(folder: Path) -> None:
    free = made(folder)
    heights = lines(folder / "tracks.jsonl")[0]["heights"]
    tall = made(folder, height=1.5 * heights["1"], heights={3: heights["3"]})
    assert lines(folder / "tracks.jsonl")[0]["heights"]["1"] == pytest.approx(1.5 * heights["1"], abs=1e-3)
    ratio = np.linalg.norm(tall[1].translation, axis=1) / np.linalg.norm(free[1].translation, axis=1)
    np.testing.assert_allclose(ratio, 1.5, atol=0.02)
    np.testing.assert_allclose(tall[3].translation, free[3].translation, atol=0.05)
    with pytest.raises(InputError, match=r"heights of \[77\]"):
        finish(folder, FinishOptions(heights={77: 1.8}))


def test_a_known_camera_moves_people_along_their_rays(folder: Path) -> None:
    free = made(folder)
    narrow = Camera.from_fov(1280, 960, 34)  # of the same shape, whatever its size
    done = made(folder, camera=narrow)
    assert (done.camera.width, done.camera.assumed) == (CAMERA.width, False)
    assert done.camera.fx == pytest.approx(narrow.fx / 2)
    ratio = done[1].translation[:, 2] / free[1].translation[:, 2]
    np.testing.assert_allclose(ratio, done.camera.fx / CAMERA.fx, rtol=0.03)
    with pytest.raises(InputError, match="1280 x 720 pixels, the video has 640 x 480"):
        finish(folder, FinishOptions(camera=Camera.from_fov(1280, 720)))


def test_the_floor_is_where_people_stand_and_makes_exports_level(folder: Path) -> None:
    made(folder)
    floor = read_floor(lines(folder / "tracks.jsonl")[0])
    assert floor is not None
    assert np.degrees(np.arccos(-floor.normal @ DOWN)) < 1.5
    ankles = 0.6 + STANDING[ANKLES[0], 1]
    assert floor.offset == pytest.approx(ankles, abs=0.05)
    clip = level(to_clip(read_track_file(folder / "tracks.jsonl")), floor, ground=True, height=1.73)
    for number in (1, 3):
        feet = clip.person(number).in_camera()[:, ANKLES]
        np.testing.assert_allclose(feet[..., 1], -0.039 * 1.73, atol=0.04)  # y is down: above the ground
        head = clip.person(number).in_camera()[:, LCR13.index("head_top")]
        np.testing.assert_allclose((head - feet.mean(1))[:, [0, 2]], 0, atol=0.1)  # upright
    made(folder, floor=False)
    assert read_floor(lines(folder / "tracks.jsonl")[0]) is None
    with pytest.raises(InputError, match="the floor in the header is broken"):
        read_floor({"floor": {"normal": [1, 2]}})


def test_standing_feet_stay_where_they_are(folder: Path) -> None:
    slid = [np.linalg.norm(np.diff((t[1].joints3d + t[1].translation[:, None])[:, ANKLES], axis=0), axis=-1).mean()
            for t in (made(folder), made(folder, floor=False))]  # fmt: skip
    assert slid[0] < 0.5 * slid[1]


def test_finishing_again_gives_the_same_bytes_and_edits_can_be_stored(folder: Path) -> None:
    options = FinishOptions(filter="butterworth", heights={1: 1.8}, camera=Camera.from_fov(640, 480, 50), fill=1.0)
    edits = [Edit("swap", "1,3@1.0"), Edit("split", "2@2.0")]
    finish(folder, options, edits)
    first = (folder / "tracks.jsonl").read_bytes()
    again, kept = stored(folder)
    assert (replace(again, camera=None), kept) == (replace(options, camera=None), edits)
    assert again.camera is not None
    finish(folder, again, kept)
    assert (folder / "tracks.jsonl").read_bytes() == first
    assert [p.name for p in folder.iterdir()] == ["results.jsonl", "tracks.jsonl"]
    assert stored(folder / "nowhere") == (FinishOptions(), [])
    (folder / "tracks.jsonl").write_bytes((folder / "results.jsonl").read_bytes())
    with pytest.raises(InputError, match="does not tell what it was made with"):
        stored(folder)


def test_edits_come_before_everything_else(folder: Path) -> None:
    split = made(folder, Edit("split", "1@2.9"))  # two frames are left, which is too short
    assert [len(p) for p in split.people if p.id in (1, 10)] == [73]
    joined = made(folder, Edit("split", "1@2.9"), Edit("merge", "1,10"))
    np.testing.assert_allclose(joined[1].joints3d, made(folder)[1].joints3d, atol=1e-5)


def test_refined_poses_come_from_the_network(folder: Path, tmp_path: Path, posebert: Path) -> None:
    """The graph gives back what it gets: the measured pose with one set of bones, and not the filtered one."""
    refined, plain = made(folder, refine=str(posebert), floor=False), made(folder, filter="none", floor=False)
    found = ~plain[1].filled
    np.testing.assert_allclose(refined[1].joints3d[found], plain[1].joints3d[found], atol=0.03)
    filtered = made(folder, floor=False)
    assert np.abs(refined[1].joints3d - filtered[1].joints3d).mean() > 0.005
    np.testing.assert_allclose(refined[1].joints2d, filtered[1].joints2d)
    assert [len(p) for p in refined.people] == [len(p) for p in filtered.people]
    assert stored(folder)[0].refine is None
    finish(folder, FinishOptions(refine=str(posebert)))
    assert stored(folder)[0].refine == str(posebert)
    with pytest.raises(InputError, match="no such file"):
        finish(folder, FinishOptions(refine=str(tmp_path / "gone.onnx")))


def test_someone_of_whom_a_joint_is_never_found_stays(tmp_path: Path, posebert: Path) -> None:
    found = frames(people=(1, 3))
    for _, _, poses in found:
        poses.joints3d[0, ANKLES], poses.joints2d[0, ANKLES] = np.nan, np.nan
    folder = write_run(tmp_path, found)
    for options in (FinishOptions(), FinishOptions(refine=str(posebert))):
        finish(folder, options)
        track = read_track_file(folder / "tracks.jsonl").tracks[1]
        assert len(track) == COUNT
        assert np.isnan(track.joints3d[:, ANKLES]).all()
        assert np.isfinite(np.delete(track.joints3d, ANKLES, axis=1)).all()


def test_nobody_and_a_single_frame(tmp_path: Path) -> None:
    everything = FinishOptions(exports=("csv", "bvh", "gltf", "npz", "coco", "trc", "openpose"), html=True)
    for name, found in (("nobody", frames(people=())), ("once", frames()[:1])):
        folder = write_run(tmp_path / name, found)
        summary = finish(folder, everything)
        assert (summary.frames, summary.people) == (len(found), 0 if name == "nobody" else 3)
        assert all(path.exists() for path in summary.files)
        assert (folder / "view.html").stat().st_size > 1000


def test_exports_of_people_who_are_gone_are_removed(folder: Path) -> None:
    keep = folder / "exports" / "person_notes.bvh"
    finish(folder, FinishOptions(exports=("bvh", "openpose"), min_seconds=0))
    keep.write_text("mine")
    assert (folder / "exports" / "person_9.bvh").exists()
    write_run(folder, frames()[:40])
    finish(folder, FinishOptions(exports=("bvh", "openpose")))
    assert {p.name for p in (folder / "exports").glob("*.bvh")} == {*(f"person_{i}.bvh" for i in (1, 2, 3)), keep.name}
    assert len(list((folder / "exports" / "openpose").iterdir())) == 40


@pytest.mark.parametrize("options", [{"fill": -1}, {"fill": float("inf")}, {"min_seconds": float("nan")},
                                     {"height": 0.1}, {"heights": {1: 3.5}}])  # fmt: skip
def test_options_out_of_range_are_told(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="wanted"):
        FinishOptions(**options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_memory_for_a_person_in_a_frame_is_what_the_documentation_says(tmp_path: Path) -> None:
    peaks, rows = [], []
    found = frames(people=(1, 2, 3))
    for times in (8, 16):
        longer = [(k, k / 25, found[k % COUNT][2]) for k in range(times * COUNT)]
        folder = write_run(tmp_path / str(times), longer)
        rows.append(sum(len(poses) for _, _, poses in longer))
        tracemalloc.start()
        finish(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1500 * (rows[1] - rows[0])


def test_a_header_is_plain_json(folder: Path) -> None:
    finish(folder, FinishOptions(camera=Camera.from_fov(640, 480, 50), heights={2: 1.7}), [Edit("split", "1@1")])
    header = lines(folder / "tracks.jsonl")[0]
    assert header["schema"] == "anchorpose/video/1"
    assert header["edits"] == ["split 1@1"]
    assert header["camera"]["assumed"] is False
    assert FinishOptions.from_dict(json.loads(json.dumps(header["finish"]))).heights == {2: 1.7}
