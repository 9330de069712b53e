"""`anchorpose track` with its files, `track finish`, `track edit`: from outside, each file opened by another reader."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from anchorpose.app.commands_finish import parse_formats, parse_height, read_camera
from anchorpose.app.tracks_file import read_track_file
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from tests.app.inside import run
from tests.app.scene import COUNT, lines, write_run
from tests.app.test_track import SIZE, red_squares
from tests.io.video.clips import write_clip

FRAMES = 30


@pytest.fixture(scope="module")
def everything(tiny: Path, posebert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one command with nearly all options writes, from outside."""
    pytest.importorskip("ezc3d", reason="needs the extra c3d")
    pytest.importorskip("pyarrow", reason="needs the extra tables")
    folder = tmp_path_factory.mktemp("everything")
    clip = write_clip(folder / "walk.mp4", red_squares(FRAMES), audio="aac")
    command = [sys.executable, "-m", "anchorpose", "track", clip, "--out", folder / "o", "--model", tiny, "--panel",
               "--audio", "--export", "all", "--html", "--refine", posebert, "--height", "1=1.6", "--min-seconds",
               "0.1", "--fill", "1", "--filter", "butterworth", "--threads", "1"]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "30 frames (1.2 s), 1 person -> " in done.stderr
    assert done.stderr.count("\n") == 1
    return folder / "o"


def test_the_folder_holds_what_was_asked_for(everything: Path) -> None:
    assert sorted(p.name for p in everything.iterdir()) == [
        "exports", "overlay.mp4", "results.jsonl", "tracks.jsonl", "view.html"]  # fmt: skip
    assert sorted(p.name for p in (everything / "exports").iterdir()) == [
        "angles.csv", "angles.parquet", "coco.json", "joints.csv", "joints.parquet", "motion.glb", "motion.npz",
        "openpose", "person_1.bvh", "person_1.c3d", "person_1.trc", "posetrack.json"]  # fmt: skip
    header = lines(everything / "tracks.jsonl")[0]
    assert header["heights"] == {"1": pytest.approx(1.6, abs=1e-3)}
    assert header["finish"]["filter"] == "butterworth"
    assert header["finish"]["refine"].endswith("echo.onnx")
    people = [line["people"] for line in lines(everything / "tracks.jsonl")[1:]]
    assert [[p["filled"] for p in here] for here in people] == [[k % 7 == 6] for k in range(FRAMES)]


def test_the_overlay_has_sound_and_a_panel(everything: Path) -> None:
    with av.open(str(everything / "overlay.mp4")) as video:
        assert video.streams.audio[0].codec_context.name == "aac"
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(pictures) == FRAMES
    assert pictures[0].shape == (SIZE[1], SIZE[0] + min(SIZE), 3)
    beside = [p[:, SIZE[0] :].astype(int) for p in pictures]
    assert np.ptp(beside[0], axis=(0, 1)).min() > 60  # a grid and somebody on paper
    assert np.abs(beside[20] - beside[0]).max() > 60  # who moves


def in_camera(everything: Path) -> np.ndarray:
    """(t, 13, 3) metres of person 1 where known, from tracks.jsonl."""
    found = [person for line in lines(everything / "tracks.jsonl")[1:] for person in line["people"]]
    return np.array([np.array(p["joints3d"], float) + p["translation"] for p in found])


def test_tables_open_in_pandas(everything: Path) -> None:
    pandas = pytest.importorskip("pandas")
    for table in (pandas.read_csv(everything / "exports" / "joints.csv"),
                  pandas.read_parquet(everything / "exports" / "joints.parquet")):  # fmt: skip
        assert len(table) == 13 * len(in_camera(everything))
        assert set(table["joint"]) == set(LCR13.joints)
    angles = pandas.read_parquet(everything / "exports" / "angles.parquet")
    own = pandas.read_csv(everything / "exports" / "angles.csv")
    np.testing.assert_allclose(angles["left_knee_flexion"], own["left_knee_flexion"], atol=0.01)
    joints = pandas.read_csv(everything / "exports" / "joints.csv")
    known = joints[["x_m", "y_m", "z_m"]].to_numpy().reshape(-1, 13, 3)
    np.testing.assert_allclose(known, in_camera(everything), atol=1e-4)


def test_coco_opens_in_pycocotools(everything: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    found = json.loads((everything / "exports" / "coco.json").read_text())
    truth = coco.COCO()
    truth.dataset = {"images": [{"id": k} for k in range(FRAMES)], "annotations": [], "info": {},
                     "categories": [{"id": 1, "name": "person"}]}  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        loaded = truth.loadRes(found)
    assert len(loaded.anns) == len(in_camera(everything))
    assert {entry["track_id"] for entry in found} == {1}


def test_posetrack_and_openpose_open(everything: Path) -> None:
    own = json.loads((everything / "exports" / "posetrack.json").read_text())
    assert len(own["images"]) == FRAMES
    assert {entry["track_id"] for entry in own["annotations"]} == {1}
    files = sorted((everything / "exports" / "openpose").iterdir())
    assert len(files) == FRAMES
    assert len(json.loads(files[0].read_text())["people"]) == 1


def test_bvh_opens_in_the_bvh_package(everything: Path) -> None:
    bvh = pytest.importorskip("bvh", reason="needs the PyPI package bvh")
    tree = bvh.Bvh((everything / "exports" / "person_1.bvh").read_text())
    assert (tree.nframes, round(1 / tree.frame_time)) == (FRAMES, 25)


def test_markers_open_in_other_readers(everything: Path) -> None:
    c3d = pytest.importorskip("c3d", reason="needs the PyPI package c3d")
    with open(everything / "exports" / "person_1.c3d", "rb") as file:
        frames = [points for _, points, _ in c3d.Reader(file).read_frames()]
    assert len(frames) == FRAMES
    trc = pytest.importorskip("trc", reason="needs the PyPI package trc-data-reader")
    data = trc.TRCData()
    data.load(str(everything / "exports" / "person_1.trc"))
    assert len(data["Frame#"]) == FRAMES
    head, ankle = (np.array([f[LCR13.index(n)][:3] for f in frames]) for n in ("head_top", "left_ankle"))
    distance = np.linalg.norm(in_camera(everything)[0, LCR13.index("head_top")]
                              - in_camera(everything)[0, LCR13.index("left_ankle")])  # fmt: skip
    assert np.linalg.norm(head[0] - ankle[0]) == pytest.approx(1000 * distance, rel=0.01)  # millimetres
    assert head[0, 2] > ankle[0, 2] + 500  # z up


def test_gltf_opens_in_trimesh(everything: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    scene = trimesh.load(everything / "exports" / "motion.glb")
    assert len(scene.geometry) >= 1
    size = np.ptp(scene.bounds, axis=0)
    assert 0.8 < size.max() < 3


def test_npz_opens_in_numpy(everything: Path) -> None:
    with np.load(everything / "exports" / "motion.npz", allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    whole = [values for values in arrays.values() if values.shape[-3:] == (FRAMES, 13, 3)]
    assert len(whole) == 1
    assert len(arrays["times"]) == FRAMES


# --- track finish and track edit


def test_finish_and_edit_need_no_video(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    done = run("track", "finish", folder, "--fov", "50", "--export", "csv, bvh", "--no-floor")
    assert done.returncode == 0, done.stderr
    assert "75 frames (3.0 s), 3 people, 1 seen too briefly left out (--min-seconds) -> " in done.stderr
    assert (folder / "exports" / "person_2.bvh").exists()
    header = lines(folder / "tracks.jsonl")[0]
    assert header["camera"]["fx"] == pytest.approx(Camera.from_fov(640, 480, 50).fx)
    assert (header["camera"]["assumed"], header["floor"]) == (False, None)
    done = run("track", "edit", folder, "--merge", "1,10", "--split", "1@1.0", "--swap", "2,3@2")
    assert done.returncode == 0, done.stderr
    header = lines(folder / "tracks.jsonl")[0]
    assert header["edits"] == ["split 1@1.0", "swap 2,3@2", "merge 1,10"]
    assert header["finish"]["exports"] == ["csv", "bvh"]  # as it was made before
    assert len(read_track_file(folder / "tracks.jsonl").tracks[1]) == COUNT
    assert run("track", "edit", folder, "--split", "1@2").returncode == 0
    assert len(lines(folder / "tracks.jsonl")[0]["edits"]) == 4
    assert (folder / "exports" / "person_10.bvh").exists()
    assert run("track", "finish", folder).returncode == 0  # edits stay
    assert len(lines(folder / "tracks.jsonl")[0]["edits"]) == 4
    assert run("track", "edit", folder, "--reset").returncode == 0
    assert lines(folder / "tracks.jsonl")[0]["edits"] == []


def test_edits_survive_a_resume_and_not_a_new_run(tiny: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.mp4", red_squares(12))
    command = ("track", clip, "--model", tiny, "--out", tmp_path / "o", "--threads", "1", "--no-overlay")
    assert run(*command).returncode == 0
    assert run("track", "edit", tmp_path / "o", "--split", "1@0.24", "--fake").returncode == 2
    assert run("track", "edit", tmp_path / "o", "--split", "1@0.24").returncode == 0
    assert run(*command, "--resume").returncode == 0
    assert lines(tmp_path / "o" / "tracks.jsonl")[0]["edits"] == ["split 1@0.24"]
    (tmp_path / "o" / "overlay.mp4").write_bytes(b"of another video")
    assert run(*command).returncode == 0
    assert lines(tmp_path / "o" / "tracks.jsonl")[0]["edits"] == []
    assert not (tmp_path / "o" / "overlay.mp4").exists()  # else the page would play it


def test_a_known_camera_is_used_from_the_first_frame(tiny: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.mp4", red_squares(6))
    camera = Camera(2 * SIZE[0], 2 * SIZE[0], 62, 49, SIZE[0], SIZE[1])
    (tmp_path / "camera.json").write_text(json.dumps({"camera": camera.to_dict()}))
    command = ("track", clip, "--model", tiny, "--threads", "1", "--no-overlay", "--out", tmp_path / "o", "--camera")
    done = run(*command, tmp_path / "camera.json")
    assert done.returncode == 0, done.stderr
    assert lines(tmp_path / "o" / "results.jsonl")[0]["camera"]["fx"] == pytest.approx(2 * SIZE[0], rel=1e-4)
    assert Camera.from_dict(lines(tmp_path / "o" / "tracks.jsonl")[0]["camera"]) == camera
    other = Camera.from_fov(1920, 1080, 60)
    (tmp_path / "camera.json").write_text(json.dumps(other.to_dict()))
    (tmp_path / "o" / "results.jsonl").unlink()
    done = run(*command, tmp_path / "camera.json")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "1920 x 1080 pixels, the video has 128 x 96" in done.stderr
    assert not (tmp_path / "o" / "results.jsonl").exists()  # told before the video is read


def test_a_turned_phone_is_upright_in_every_file(tiny: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.mp4", red_squares(5), rotation=90)
    done = run("track", clip, "--model", tiny, "--threads", "1", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    camera = lines(tmp_path / "o" / "tracks.jsonl")[0]["camera"]
    assert (camera["width"], camera["height"]) == SIZE[::-1]
    with av.open(str(tmp_path / "o" / "overlay.mp4")) as video:
        assert (video.streams.video[0].width, video.streams.video[0].height) == SIZE[::-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("finish", "nowhere"), "cannot read nowhere"), (("finish", "DIR", "--export", "fbx"), "'fbx', wanted some of"),
     (("finish", "DIR", "--height", "tall"), "wanted metres such as 1.75"),
     (("finish", "DIR", "--height", "7=1.7"), "heights of [7]"), (("finish", "DIR", "--fill", "-1"), "wanted 0"),
     (("finish", "DIR", "--fov", "200"), "between 0 and 180"),
     (("finish", "DIR", "--camera", "nothing.json"), "nothing.json"),
     (("finish", "DIR", "--refine", "nothing.onnx"), "no such file"),
     (("finish", "DIR", "--refine", "a.onnx", "b.onnx"), "one FILE.onnx at most"),
     (("edit", "DIR"), "found no edit"), (("edit", "DIR", "--merge", "1,2"), "both in"),
     (("edit", "DIR", "--split", "1"), "wanted ID@SECONDS"), (("edit", "DIR", "--swap", "1,99@1"), "no track 99"),
     (("0", "--panel", "--no-overlay"), "choose one"), (("0", "--camera", "CAMERA", "--fov", "60"), "wanted one")],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "run")
    (tmp_path / "camera.json").write_text(json.dumps(Camera.from_fov(640, 480).to_dict()))
    names = {"DIR": "run", "CAMERA": "camera.json"}
    done = run("track", *(names.get(word, word) for word in arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("anchorpose: error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not (tmp_path / "run" / "tracks.jsonl").exists()


def test_no_weights_to_refine_with_is_told_before_the_video_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anchorpose.app.estimator

    monkeypatch.setattr(anchorpose.app.estimator, "WEIGHTS", tmp_path)
    done = run("track", tmp_path / "unread.mp4", "--refine")
    assert done.returncode == 2
    assert "found no embedded weights of PoseBERT" in done.stderr
    assert done.stderr.count("\n") == 1


def test_words_for_heights_formats_and_cameras(tmp_path: Path) -> None:
    assert parse_height(None) == (None, {})
    assert parse_height("1.75") == (1.75, {})
    assert parse_height("1.7,3=1.82,5=1.6") == (1.7, {3: 1.82, 5: 1.6})
    assert parse_formats("") == ()
    assert parse_formats("glb,GLTF, csv,csv") == ("gltf", "csv")
    assert len(parse_formats("all")) >= 8
    assert "html" not in parse_formats("all")
    for text in ("{}", "[1]", '{"fx":1}', '{"fx":"a"}', '{"fx":-1,"fy":1,"cx":1,"cy":1,"width":5,"height":5}'):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(InputError, match="is no camera"):
            read_camera(tmp_path / "c.json")


def test_help_tells_of_finish_and_edit() -> None:
    for words in (("track",), ("track", "finish"), ("track", "edit")):
        assert run(*words, "--help").returncode == 0
    assert "anchorpose track finish DIR" in " ".join(run("track", "--help").stdout.split())
