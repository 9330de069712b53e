"""`anchorpose evaluate` on miniature archives: from weights and from files, figures and refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

import anchorpose
from anchorpose.core.poses import Poses
from anchorpose.core.skeleton import COCO17, LCR13, LSP14, MPII16, POSETRACK17
from anchorpose.datasets import h36m
from anchorpose.datasets.crowdpose import read_crowdpose
from anchorpose.datasets.lsp import read_lsp
from anchorpose.datasets.mpii import read_mpii
from anchorpose.datasets.posetrack import read_posetrack
from anchorpose.datasets.truth3d import h36m_truths, mupots_truths, threedhp_truths, threedpw_truths
from anchorpose.evaluation.protocols3d import evaluate_3dhp, evaluate_3dpw, evaluate_mupots
from anchorpose.io.files import write_json
from anchorpose.io.formats import to_anchorpose
from anchorpose.io.video.journal import Journal
from tests.app.evaluate.calling import Call, assert_refused, figures
from tests.app.test_cli import red_square, write
from tests.datasets import test_crowdpose, test_mpi_inf_3dhp, test_mpii, test_mupots, test_posetrack, test_threedpw
from tests.datasets.test_truth3d import perfect
from tests.evaluation import test_rendered
from tests.evaluation.fakes import poses

# --- predictions from a file


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """Two photographs with people and one without, and annotations a little beside what the tiny graph finds."""
    folder = tmp_path_factory.mktemp("photographs")
    estimator = anchorpose.load(tiny)
    images, people = [], []
    for id, name in ((11, "p_11.png"), (12, "p_12.png"), (13, "p_13.png")):
        picture = red_square() if id < 13 else np.full((200, 256, 3), 200, np.uint8)
        path = write(folder / "images" / name, np.roll(picture, id, axis=1))
        images.append({"id": id, "file_name": name, "width": 256, "height": 200})
        for joints in estimator(path).to_skeleton(COCO17).joints2d:
            known = np.isfinite(joints).all(-1)
            flat = np.where(known[:, None], np.column_stack([joints + id / 5, np.full(17, 2)]), 0)
            people.append({"id": id, "image_id": id, "category_id": 1, "keypoints": flat.ravel().tolist(),
                           "iscrowd": 0, "num_keypoints": int(known.sum()), "bbox": [80, 10, 60, 120],
                           "area": 700.0})  # fmt: skip
    data = {"images": images, "annotations": people,
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}]}  # fmt: skip
    write_json(folder / "annotations.json", data)
    return folder


def test_what_detect_writes_scores_as_the_weights(call: Call, photographs: Path, tiny: Path, tmp_path: Path) -> None:
    own = ["--annotations", photographs / "annotations.json", "--images", photographs / "images"]
    detect = ["detect", photographs / "images", "--model", tiny, "--min-score", 0]
    assert call(*detect, "--json", tmp_path / "poses.json")[0] == 0
    assert call(*detect, "--json", tmp_path / "coco.json", "--format", "coco")[0] == 0
    weights = figures(call("evaluate", "coco", *own, "--model", tiny, "--json", "-"))
    assert 0 < weights["AP"] < 1
    from_file = call("evaluate", "coco", *own, "--predictions", tmp_path / "poses.json", "--json", "-")
    assert figures(from_file) == pytest.approx(weights)
    code, out, err = call("evaluate", "coco", *own, "--predictions", tmp_path / "coco.json", "--json", "-")
    assert "1 of 3 images have no entry" in err
    # COCO results have all 17 joints; those that are missing throughout are not measured.
    assert json.loads(out) == pytest.approx(weights)
    assert code == 0
    rank = figures(call("evaluate", "lsp", *own, "--model", tiny, "--json", "-"))
    from_file = call("evaluate", "lsp", *own, "--predictions", tmp_path / "poses.json", "--json", "-")
    assert figures(from_file) == pytest.approx(rank)


def test_weights_and_files_exclude_each_other(call: Call, photographs: Path, tiny: Path, tmp_path: Path) -> None:
    own = ["evaluate", "coco", "--annotations", photographs / "annotations.json", "--images", "nowhere"]
    write_json(tmp_path / "p.json", to_anchorpose([("p_11.png", poses(np.ones((1, 17, 2))))]))
    for options in (["--model", tiny], ["--min-score", "0.5"], ["--threads", "1"]):
        assert_refused(
            call(*own, "--predictions", tmp_path / "p.json", *options), "--predictions", "wanted one of them"
        )
    assert_refused(call(*own, "--predictions", tmp_path / "p.json"), "2 of 3 annotated images", "--missing nobody")
    # A file needs no pictures.
    code, _, err = call(*own, "--predictions", tmp_path / "p.json", "--missing", "nobody")
    assert (code, err.count("2 of 3 images have no entry")) == (0, 1)
    assert_refused(call(*own, "--model", tiny), "3 of 3 images are not in nowhere", "--images")
    assert_refused(call(*own, "--predictions", tmp_path / "no.json"), "no.json")


def test_coco_prints_published_results_beside_ours(call: Call, photographs: Path, tiny: Path, tmp_path: Path) -> None:
    own = ["--annotations", photographs / "annotations.json", "--images", photographs / "images", "--model", tiny]
    code, out, err = call("evaluate", "coco", *own, "--json", tmp_path / "new" / "t.json", "--report", tmp_path / "r")
    assert code == 0
    assert out.splitlines()[0].split() == ["AP", "AP50", "AP75", "AR"]
    assert "12 body joints: tiny " in out
    assert "HRNet-W48, val2017, 17 joints, person given (published [1])" in out
    assert 0 < json.loads((tmp_path / "new" / "t.json").read_text())["AP"] < 1
    page = (tmp_path / "r" / "report.html").read_text()
    assert "tiny: coco on annotations.json" in page
    assert "report.html" in err
    # An hour's work is not lost to a folder that cannot be made.
    (tmp_path / "file").touch()
    assert_refused(call("evaluate", "coco", *own, "--report", tmp_path / "file" / "r"), "cannot create the folder")


# --- MPII


@pytest.fixture
def mpii(tmp_path: Path) -> Path:
    """A picture of somebody alone, and one of two who stand together, in the .mat of the archive."""

    def person(x: float, y: float) -> dict[str, Any]:
        joints = {i: (x + 12 * (i % 4), y + 12 * (i // 4)) for i in range(16)}
        return {"x1": x, "y1": y, "x2": x + 6, "y2": y + 8, "scale": 0.3, "annopoints": test_mpii.points(joints, {}),
                "objpos": test_mpii.struct(x=x, y=y)}  # fmt: skip

    together = test_mpii.structs([person(20.5, 20.5), person(120.5, 20.5)])
    test_mpii.write(tmp_path, [test_mpii.picture("1.png", test_mpii.structs([person(60.5, 40.5)])),
                               test_mpii.picture("2.png", together)], [1, 1], [1.0, test_mpii.EMPTY])  # fmt: skip
    for name in ("1.png", "2.png"):
        write(tmp_path / "images" / name, red_square())
    return tmp_path


def truth_of(samples: Any, root: Path, skeleton: Any) -> list[tuple[str, Poses]]:
    """The annotated people as predictions."""
    return [(s.image.relative_to(root).as_posix(),
             poses(np.array([p.annotation.joints2d for p in s.people if p.annotation]), skeleton=skeleton))
            for s in samples]  # fmt: skip


def test_mpii_single_and_multi(call: Call, mpii: Path, tmp_path: Path) -> None:
    results = truth_of(read_mpii(mpii), mpii, MPII16)
    write_json(tmp_path / "p.json", to_anchorpose(results))
    own = ["--root", mpii, "--predictions", tmp_path / "p.json"]
    table = figures(call("evaluate", "mpii-single", *own, "--json", "-"))
    assert (table["PCKh@0.5"], table["AUC"], table["people"]) == (100, 100, 1)
    code, out, _ = call("evaluate", "mpii-single", *own)
    assert code == 0
    head, ours, *_ = out.splitlines()
    assert head.split() == ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@1", "AUC"]
    assert ours.split() == ["p", *["100.0"] * 10]
    assert "LCR-Net, test set (published [1])" in out
    assert "people 1" in out
    table = figures(call("evaluate", "mpii-multi", *own, "--json", "-"))
    assert (table["AP"], table["groups"], table["people"]) == (100, 1, 2)
    # One of the two is not found: half of every joint.
    write_json(tmp_path / "p.json", to_anchorpose([results[0], (results[1][0], results[1][1][:1])]))
    assert figures(call("evaluate", "mpii-multi", *own, "--json", "-"))["AP"] == 50


def test_mpii_of_some_pictures_and_of_weights(call: Call, mpii: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("1.png\n\n")
    own = ["evaluate", "mpii-single", "--root", mpii, "--model", tiny, "--only", tmp_path / "val.txt", "--json", "-"]
    table = figures(call(*own))
    assert (table["images"], table["people"], table["joints"]) == (1, 1, 13)
    (tmp_path / "val.txt").write_text("3.png\n1.png")
    assert_refused(call(*own), "names 1 of 2 pictures that are not annotated, such as 3.png")
    (tmp_path / "val.txt").write_bytes(b"\xff\xfe\x00")
    assert_refused(call(*own), "is no text")
    (mpii / "images" / "1.png").unlink()
    assert_refused(call("evaluate", "mpii-multi", "--root", mpii), "1 of 2 images are not in", "--root")
    assert_refused(call("evaluate", "mpii-single", "--root", mpii / "images"), "human-pose.mpi-inf.mpg.de")


# --- CrowdPose, PoseTrack


def test_crowdpose_of_our_file_and_of_coco_results(call: Call, tmp_path: Path) -> None:
    path = test_crowdpose.write(tmp_path, test_crowdpose.content(), "test")
    samples = read_crowdpose(tmp_path, "test")
    skeleton = samples[0].people[0].annotation.skeleton  # type: ignore[union-attr]
    write_json(tmp_path / "p.json", to_anchorpose(truth_of(samples, tmp_path, skeleton)))
    own = ["evaluate", "crowdpose", "--root", tmp_path, "--json", "-"]
    table = figures(call(*own, "--predictions", tmp_path / "p.json"))
    assert [table[n] for n in ("AP", "AP50", "AP75", "easy", "medium")] == pytest.approx([100] * 5)
    assert (table["hard"], table["images easy"], table["images medium"]) == (None, 1, 1)
    # COCO results in CrowdPose's own order of joints, of which only one picture's are there.
    results = [{"image_id": r["image_id"], "category_id": 1, "keypoints": r["keypoints"], "score": 1.0}
               for r in json.loads(path.read_text())["annotations"] if r["image_id"] == 100]  # fmt: skip
    write_json(tmp_path / "r.json", results)
    code, out, err = call(*own, "--predictions", tmp_path / "r.json")
    table = json.loads(out)
    assert (code, table["easy"], table["medium"]) == (0, pytest.approx(100), 0)
    named = np.array([r["keypoints"] for r in results]).reshape(-1, 14, 3).any(axis=(0, 2))
    assert table["joints"] == named.sum()
    assert "1 of 2 images have no entry" in err
    assert_refused(call(*own, "--split", "val"), "crowdpose_val.json", "Jeff-sjtu/CrowdPose")
    code, out, _ = call(*own[:-2], "--predictions", tmp_path / "p.json", "--report", tmp_path / "report")
    assert "AP easy" in out
    assert (tmp_path / "report" / "report.html").stat().st_size > 1000


def test_posetrack_scores_its_own_annotations_as_perfect(call: Call, tmp_path: Path) -> None:
    test_posetrack.write(tmp_path, {1: test_posetrack.video(1, frames=4), 2: test_posetrack.video(2, seed=1)})
    folder = tmp_path / "annotations" / "val"
    own = ["evaluate", "posetrack", "--root", tmp_path, "--json", "-", "--predictions"]
    table = figures(call(*own, folder))
    assert (table["AP"], table["MOTA"], table["sequences"], table["frames"]) == (100, 100, 2, 5)
    assert table["MOTP"] == pytest.approx(100)
    assert_refused(call(*own, folder / "000001_mpii_test.json"), "2 of 5 annotated images", "--missing nobody")
    missed = call(*own, folder / "000001_mpii_test.json", "--missing", "nobody")
    # Of three frames that count for MOTA two are of the first video.
    assert json.loads(missed[1])["MOTA"] == pytest.approx(100 * 2 / 3, abs=12)
    samples = read_posetrack(tmp_path)
    skeleton = samples[0].people[0].annotation.skeleton  # type: ignore[union-attr]
    write_json(tmp_path / "p.json", to_anchorpose(truth_of(samples, tmp_path, skeleton)))
    table = figures(call(*own, tmp_path / "p.json"))
    assert (table["AP"], table["MOTA"]) == (100, None)
    code, out, _ = call(*own[:-3], "--predictions", folder)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines() if line.endswith(" 100.0")] == [
        ["AP:", "val"], ["MOTA:", "val"]
    ]  # fmt: skip


def test_posetrack_of_tracked_pictures(call: Call, tmp_path: Path) -> None:
    """The annotated people as `anchorpose track` writes them, one of whom it loses and numbers anew."""
    test_posetrack.write(tmp_path, {1: test_posetrack.video(1, frames=5)})
    samples = read_posetrack(tmp_path)
    for name in [samples[0].image.with_name("000000.jpg"), *(s.image for s in samples)]:
        name.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(name), np.zeros((8, 8, 3), np.uint8))
    own = ["evaluate", "posetrack", "--root", tmp_path, "--json", "-", "--predictions", tmp_path / "tracks"]
    truth = dict(truth_of(samples, tmp_path, POSETRACK17))
    (tmp_path / "tracks" / "000001").mkdir(parents=True)

    def written(switch: int) -> dict[str, Any]:
        settings = {"source": str(samples[0].image.parent), "fps": 25.0, "stride": 1, "start": 0.0}
        with Journal(tmp_path / "tracks" / "000001" / "results.jsonl", settings) as journal:
            for sample in samples:
                people = truth[sample.image.relative_to(tmp_path).as_posix()]
                ids = np.array([1, 2 if (sample.frame or 0) < switch else 3])
                journal.append(int(sample.image.stem), 0.0, replace(people, track_ids=ids))
        return figures(call(*own))

    whole, switched = written(99), written(3)
    assert (whole["AP"], whole["MOTA"], whole["MOTP"]) == (100, 100, pytest.approx(100))
    # One switch of one of two people in three frames: the toolkit leaves the last of a video out.
    assert (switched["AP"], switched["MOTA"]) == (100, pytest.approx(100 * (1 - 1 / 6)))
    samples[0].image.unlink()
    assert_refused(call(*own), "frame 4", "only 4 pictures")


# --- 3D


def write_perfect(path: Path, truths: Any) -> Path:
    """The truth, in our joints, as a file of predictions."""
    write_json(path, to_anchorpose(perfect(truths, LCR13).items()))
    return path


def test_mupots_3dhp_and_3dpw(call: Call, tmp_path: Path) -> None:
    for number in range(1, 21):
        test_mupots.write_sequence(tmp_path / "mupots", number, frames=2)
    for number in range(1, 7):
        test_mpi_inf_3dhp.write_test(tmp_path / "3dhp", number)
    test_threedpw.write_sequence(tmp_path / "3dpw", frames=4)
    for name, read, evaluate in (
        ("mupots", mupots_truths, evaluate_mupots), ("3dhp", threedhp_truths, evaluate_3dhp),
        ("3dpw", threedpw_truths, evaluate_3dpw),
    ):  # fmt: skip
        truths = read(tmp_path / name)
        own = ["evaluate", name, "--root", tmp_path / name, "--predictions",
               write_perfect(tmp_path / "p.json", truths)]  # fmt: skip
        table = figures(call(*own, "--json", "-"))
        assert table == pytest.approx(evaluate(truths, perfect(truths, LCR13)), abs=0.05)
        # LCR13 has neither pelvis nor neck, so not all is perfect by 3DHP's rules.
        figure, best, off = {"mupots": ("detected", 100, 0.1), "3dhp": ("3DPCK", 100, 8), "3dpw": ("MPJPE", 0, 0.1)}[
            name
        ]
        assert table[figure] == pytest.approx(best, abs=off)
        code, out, _ = call(*own)
        assert code == 0
        assert "(published [1])" in out


def test_human36m(call: Call, tmp_path: Path) -> None:
    pytest.importorskip("cdflib")
    from tests.datasets.test_h36m import write_recording

    for camera in h36m.CAMERAS:
        write_recording(tmp_path, "S11", f"Eating.{camera}", frames=6, pictures=(2,))
        write_recording(tmp_path, "S9", f"Eating.{camera}", frames=6)
    for name, protocol, frames in (("p1", h36m.P1, 1), ("p2", h36m.P2, 16), ("p3", h36m.P3, 4)):
        file = write_perfect(tmp_path / "p.json", h36m_truths(tmp_path, protocol))
        own = ["evaluate", f"h36m-{name}", "--root", tmp_path, "--predictions", file]
        table = figures(call(*own, "--json", "-"))
        assert (table["pictures"], table["found"]) == (frames, frames)
        assert table["PA-MPJPE"] == pytest.approx(0, abs=0.1)
        assert ("MPJPE" in table) == (name != "p3")
        assert "LCR-Net + PPI (published [" in call(*own)[1]
    assert_refused(call("evaluate", "h36m-p1", "--root", tmp_path), "1 of 1 images are not in", "--root")


rendered_scenes = test_rendered.rendered


def test_rendered_and_scenes(call: Call, rendered_scenes: Any, tmp_path: Path) -> None:
    _, truths = rendered_scenes
    write_json(tmp_path / "p.json", to_anchorpose((t.file_name, test_rendered.as_found(t)) for t in truths))
    (path,) = tmp_path.rglob("annotations.json")
    own = ["--annotations", path, "--images", path.parent, "--predictions", tmp_path / "p.json"]
    scenes = figures(call("evaluate", "scenes", *own, "--json", "-"))
    assert (scenes["people"], scenes["found"], scenes["3DPCK_all"]) == (4, 4, 1)
    rendered = figures(call("evaluate", "rendered", *own, "--json", "-"))
    assert scenes.items() <= rendered.items()
    assert rendered["MPJPE outside"] == pytest.approx(0, abs=0.2)


# --- conversion of archives


def test_lsp_from_its_mat(call: Call, tmp_path: Path) -> None:
    joints = np.random.default_rng(0).uniform(30, 170, (3, 14, 2000))
    joints[2] = 0
    (tmp_path / "lsp" / "images").mkdir(parents=True)
    savemat(tmp_path / "lsp" / "joints.mat", {"joints": joints})
    picture = write(tmp_path / "a.png", red_square()).read_bytes()
    samples = read_lsp(tmp_path / "lsp", "test")
    for sample in samples:
        sample.image.write_bytes(picture)
    convert = ["data", "convert", tmp_path / "lsp", "--to", "coco", "--out", tmp_path / "lsp.json"]
    code, out, _ = call(*convert, "--from", "lsp-mat")
    assert (code, "1000 images, 1000 people" in out) == (0, True)
    assert_refused(call(*convert, "--from", "lsp-mat", "--split", "val"), "wanted one of test, train, all")
    assert_refused(call(*convert, "--from", "mpii-mat"), "human-pose.mpi-inf.mpg.de")
    # Half of the wrists are missing.
    results = truth_of(samples, tmp_path / "lsp", LSP14)
    wrist = LSP14.index("left_wrist")
    for _, own in results[::2]:
        own.joints2d[:, wrist] = np.nan
    write_json(tmp_path / "p.json", to_anchorpose(results))
    own = ["--annotations", tmp_path / "lsp.json", "--images", "-", "--predictions", tmp_path / "p.json"]
    table = figures(call("evaluate", "lsp", *own, "--json", "-"))
    assert (table["PCK@0.2 left_wrist"], table["PCK@0.2 right_wrist"]) == (0.5, 1.0)
    root = ["--root", tmp_path / "lsp", "--predictions", tmp_path / "p.json"]
    code, out, _ = call("evaluate", "lsp", *root, "--json", tmp_path / "t.json")
    assert (code, json.loads((tmp_path / "t.json").read_text())) == (0, pytest.approx(table))
    head, ours, *_ = out.splitlines()
    assert dict(zip(head.split(), ours.split()[1:], strict=False))["Wrist"] == "0.750"
    assert_refused(call("evaluate", "lsp", *root, "--split", "train"), "1000 of 1000 annotated images")
    for options in ([], root[:2] + own[:2], own[:2], [*own[:4], "--split", "all"]):
        assert_refused(call("evaluate", "lsp", *options), "give --root (and --split), or --annotations and --images")
    assert_refused(call("evaluate", "lsp", "--root", tmp_path / "none"), "Leeds Sports Pose", "sam.johnson.io")


# --- from outside


def test_from_outside(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "anchorpose", "evaluate", *arguments], cwd=tmp_path,
                              capture_output=True, text=True, timeout=300, check=False)  # fmt: skip

    done = run("posetrack", "--root", "nowhere")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "posetrack.net" in done.stderr
    done = run("--help")
    assert done.returncode == 0
    for name in ("coco", "mpii-single", "mpii-multi", "lsp", "crowdpose", "h36m-p1", "h36m-p2", "h36m-p3", "mupots",
                 "3dhp", "3dpw", "posetrack", "rendered", "scenes"):  # fmt: skip
        assert f"• {name} " in done.stdout
