"""Whole scenes: exact labels, the same for every process, resumable, split without overlap."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, body_centre
from anchorpose.synthesis.fresh import FreshRenders
from anchorpose.synthesis.library import PoseLibrary
from anchorpose.synthesis.rendering.assets import Assets, in_split
from anchorpose.synthesis.rendering.chart import Chart
from anchorpose.synthesis.rendering.render import render
from anchorpose.synthesis.rendering.scene import RenderOptions, fill, render_scene

from .tiny_body import tiny_pool

pytest.importorskip("warp")

SMALL = RenderOptions(width=96, height=80, people=(1, 3), distance=(2.0, 4.0))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with backgrounds, textures, a pose library and a kept pool of bodies."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    for name in ("backgrounds", "textures"):
        (folder / name).mkdir()
        for i in range(20):
            cv2.imwrite(str(folder / name / f"{i}.png"), rng.integers(0, 255, (60, 70, 3), np.uint8))
    rest = tiny_pool().rest_joints(0)
    poses = np.stack([rest @ Rotation.from_euler("Y", a).as_matrix() for a in rng.uniform(0, 6, 40)])
    poses = (poses + rng.normal(0, 0.03, poses.shape)).astype(np.float32)
    poses -= body_centre(poses)[:, None]
    clips = tuple(f"clip{i}.bvh" for i in range(20))
    PoseLibrary(poses, clips, (np.arange(40) % 20).astype(np.int32)).save(folder / "library.npz")
    for seed in (0, 1):
        (folder / "cache" / "anchorpose").mkdir(parents=True, exist_ok=True)
        tiny_pool().save(folder / "cache" / "anchorpose" / f"bodies-2-{seed}.npz")
    return folder


@pytest.fixture(scope="module")
def assets(inputs):
    pool = tiny_pool()
    library = PoseLibrary.load(inputs / "library.npz")
    pictures = {n: tuple(sorted((inputs / n).iterdir())) for n in ("backgrounds", "textures")}
    clips = tuple(library.sources[i] for i in library.source_index)
    return Assets(pool, Chart.of(pool), library.joints3d, clips, pictures["backgrounds"], pictures["textures"])


@pytest.fixture(scope="module")
def scenes(assets):
    return [render_scene(assets, i, 7, SMALL) for i in range(8)]


def test_the_labels_are_the_projection_of_the_bodies(scenes):
    for rendered in scenes:
        scene = rendered.scene
        assert scene.image.shape == (80, 96, 3)
        for person in scene.people:
            in_camera = person.joints3d + person.translation
            np.testing.assert_allclose(scene.camera.project(in_camera), person.joints2d, atol=1e-2)
            np.testing.assert_allclose(body_centre(person.joints3d), 0, atol=1e-5)
            inside = ((person.joints2d >= 0) & (person.joints2d < [96, 80])).all(1)
            np.testing.assert_array_equal(person.states == JointState.OUTSIDE, ~inside)
            assert (person.states == JointState.VISIBLE).sum() >= 3


def test_what_hides_a_joint_goes_with_its_state(scenes):
    for rendered in scenes:
        for person in rendered.scene.people:
            for state, by in zip(person.states, person.extra["hidden_by"], strict=True):
                assert (state == JointState.HIDDEN) == (by is not None)
                assert by in (None, "self", "person", "object")


def test_the_maps_agree_with_each_other_and_with_the_people(scenes):
    for rendered in scenes:
        np.testing.assert_array_equal(rendered.persons > 0, np.isfinite(rendered.depth))
        np.testing.assert_array_equal((rendered.persons > 0) & (rendered.persons < 255), rendered.parts > 0)
        for number, person in enumerate(rendered.scene.people, 1):
            own = rendered.persons == number
            assert person.extra["area"] == own.sum()
            x1, y1, x2, y2 = person.box.astype(int)
            assert own[y1:y2, x1:x2].sum() == own.sum()
            assert own[y1].any()
            assert own[:, x2 - 1].any()
            reach = np.linalg.norm(person.joints3d, axis=1).max() + 0.4
            assert np.abs(rendered.depth[own] - person.translation[2]).max() < reach


def test_the_same_number_gives_the_same_scene(assets, scenes):
    again = render_scene(assets, 3, 7, SMALL)
    np.testing.assert_array_equal(again.scene.image, scenes[3].scene.image)
    np.testing.assert_array_equal(again.depth, scenes[3].depth)
    other = render_scene(assets, 3, 8, SMALL)
    assert other.scene.image.shape == again.scene.image.shape
    assert (other.scene.image != again.scene.image).any()


def test_scenes_have_all_that_was_asked_for(assets):
    states, reasons, people = set(), set(), []
    for i in range(24):
        scene = render_scene(assets, i, 1, SMALL).scene
        people.append(len(scene.people))
        for person in scene.people:
            states |= {JointState(int(s)) for s in person.states}
            reasons |= set(person.extra["hidden_by"])
    assert states == {JointState.VISIBLE, JointState.HIDDEN, JointState.OUTSIDE}
    assert reasons == {None, "self", "person", "object"}
    assert set(people) == {1, 2, 3}


def test_a_background_keeps_its_shape():
    image = np.random.default_rng(0).integers(0, 255, (50, 200, 3), np.uint8)
    for seed in range(5):
        assert fill(image, 64, 96, np.random.default_rng(seed)).shape == (96, 64, 3)


@pytest.mark.parametrize("options", [{"people": (3, 2)}, {"people": (0, 2)}, {"width": 8}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError, match="wanted"):
        RenderOptions(**options)


def test_nobody_fits_is_one_line(assets):
    with pytest.raises(InputError, match="no place for anybody"):
        render_scene(assets, 0, 0, RenderOptions(width=64, height=64, distance=(300, 400), close=0.0))


def test_splits_share_nothing(inputs, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(inputs / "cache"))
    library = PoseLibrary.load(inputs / "library.npz")
    names = [*library.sources, *(f"{i}.png" for i in range(1000))]
    assert all(in_split(n, "train") != in_split(n, "test") for n in names)
    assert 0.15 < np.mean([in_split(n, "test") for n in names]) < 0.25
    train, test = (Assets.load(library, inputs / "backgrounds", inputs / "textures", s, 2) for s in ("train", "test"))
    for kind in ("clips", "backgrounds", "textures"):
        assert not set(getattr(train, kind)) & set(getattr(test, kind))
    assert len(train.poses) + len(test.poses) == len(library)


def test_a_run_resumes_and_does_not_depend_on_how_it_was_cut(inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(inputs / "cache"))
    places = (inputs / "library.npz", inputs / "backgrounds", inputs / "textures")
    whole = render(*places, tmp_path / "a", 4, seed=2, bodies=2, options=SMALL, maps=True)
    assert (whole.images, whole.rendered) == (4, 4)
    first = render(*places, tmp_path / "b", 2, seed=2, bodies=2, options=SMALL)
    rest = render(*places, tmp_path / "b", 4, seed=2, bodies=2, options=SMALL)
    assert (first.rendered, rest.rendered, rest.images) == (2, 2, 4)
    a, b = (json.loads((tmp_path / n / "annotations.json").read_text()) for n in "ab")
    assert a == b
    assert {i["file_name"] for i in a["images"]} == {p.name for p in (tmp_path / "a" / "images").iterdir()}
    for image in a["images"]:
        depth = cv2.imread(
            str(tmp_path / "a" / "depth" / image["file_name"].replace("jpg", "png")), cv2.IMREAD_UNCHANGED
        )
        assert depth.dtype == np.uint16
        persons = cv2.imread(str(tmp_path / "a" / "persons" / image["file_name"].replace("jpg", "png")), -1)
        np.testing.assert_array_equal(depth > 0, persons > 0)


@pytest.mark.slow
def test_processes_make_no_difference(inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(inputs / "cache"))
    places = (inputs / "library.npz", inputs / "backgrounds", inputs / "textures")
    for name, processes in (("one", 1), ("two", 2)):
        render(*places, tmp_path / name, 20, seed=2, bodies=2, options=SMALL, processes=processes)
    one, two = ((tmp_path / n / "annotations.json").read_text() for n in ("one", "two"))
    assert one == two
    for path in (tmp_path / "one" / "images").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "images" / path.name).read_bytes()


@pytest.mark.parametrize(("change", "message"), [
    ({"count": 0}, "wanted at least 1"), ({"backgrounds": "nowhere"}, "wanted a folder of backgrounds"),
    ({"library": "nowhere.npz"}, "cannot read"),
])  # fmt: skip
def test_wrong_inputs_are_one_line(inputs, tmp_path, monkeypatch, change, message):
    monkeypatch.setenv("XDG_CACHE_HOME", str(inputs / "cache"))
    given = {n: inputs / n for n in ("backgrounds", "textures")} | {"library": inputs / "library.npz"}
    given |= {"out": tmp_path / "out", "count": 1, "bodies": 2, "options": SMALL}
    given |= {k: tmp_path / v if isinstance(v, str) else v for k, v in change.items()}
    with pytest.raises(InputError, match=message) as caught:
        render(**given)
    assert "\n" not in str(caught.value)


def test_the_trainer_gets_the_same_people_without_a_file(assets, scenes):
    image, people = FreshRenders(assets, 7, SMALL)(3)
    written = scenes[3].scene
    np.testing.assert_array_equal(image, written.image)
    for person, known in zip(people, written.people, strict=True):
        np.testing.assert_array_equal(person.joints3d, known.joints3d)
        np.testing.assert_array_equal(person.visible == 1, known.states == JointState.VISIBLE)
        assert person.labelled.all()


def test_the_device_says_how_not_what(inputs, tmp_path, monkeypatch):
    """A folder begun with one device goes on with another; a device that is not here is said before anything else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(inputs / "cache"))
    given = inputs / "library.npz", inputs / "backgrounds", inputs / "textures"
    with pytest.raises(InputError, match="found the device 'cuda:99', wanted one of auto, cpu"):
        render(*given, tmp_path / "no", 1, bodies=2, options=replace(SMALL, device="cuda:99"))
    assert not (tmp_path / "no").exists()
    render(*given, tmp_path / "out", 1, bodies=2, options=replace(SMALL, device="cpu"))
    assert render(*given, tmp_path / "out", 2, bodies=2, options=replace(SMALL, device="auto")).rendered == 1
