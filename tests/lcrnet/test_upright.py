"""People turned upright: where heads go, what is cut out, and that everything comes back."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

import cv2  # noqa: E402

from anchorpose.core.skeleton import LCR13  # noqa: E402
from anchorpose.lcrnet.close_look import CloseLook, cut_out  # noqa: E402
from anchorpose.lcrnet.second_pass import region_around  # noqa: E402
from anchorpose.lcrnet.upright import Upright  # noqa: E402

STANDING = np.array(
    [[-12, 90], [12, 90], [-11, 50], [11, 50], [-10, 10], [10, 10], [-30, 5], [30, 5], [-26, -20], [26, -20],
     [-18, -45], [18, -45], [0, -80]], np.float32,
)  # fmt: skip
"""Pixels about the middle, in the order of LCR13, y down."""


def rotation(degrees):
    angle = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float32))
    return torch.stack([torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)], -2)


def people(degrees, middle=(150.0, 140.0), scale=1.0):
    """(s, 13, 2) the standing person turned by each angle, clockwise as seen."""
    return torch.tensor(middle) + scale * torch.from_numpy(STANDING) @ rotation(degrees).mT


def picture(height=300, width=320):
    """(1, 3, h, w) smooth colours, 0 to 1."""
    noise = np.random.default_rng(0).random((10, 10, 3)).astype(np.float32)
    return torch.from_numpy(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)).permute(
        2, 0, 1
    )[None]


@pytest.mark.parametrize("degrees", [0, 30, 90, 179, -135])
def test_whoever_stands_stays_and_whoever_does_not_is_put_upright(degrees):
    turned = people([degrees])
    found = Upright.of(turned)
    assert abs(float(torch.linalg.det(found.turn)) - 1) < 1e-5
    upright = found.points(turned)
    head, feet = upright[0, LCR13.joints.index("head_top")], upright[0, [0, 1]].mean(0)
    # Five degrees: the picture's own up counts a little too.
    assert float(feet[1] - head[1]) > 0.996 * float((feet - head).norm())
    if degrees == 0:
        torch.testing.assert_close(found.turn[0], torch.eye(2), atol=1e-6, rtol=0)


def test_a_trunk_seen_from_its_end_turns_nowhere():
    """Who bows to the camera has head and hips in one place; a pixel of noise must not turn the picture over."""
    joints = people([0.0, 0.0])
    for names in (("right_shoulder", "left_shoulder", "head_top"), ("right_hip", "left_hip")):
        joints[:, list(LCR13.indices(*names)), 1] = 100.0
    joints[1, LCR13.indices("head_top")[0], 1] += 2.0
    torch.testing.assert_close(Upright.of(joints).turn, torch.eye(2).expand(2, 2, 2), atol=0.05, rtol=0)


def test_all_comes_back():
    rng = torch.Generator().manual_seed(0)
    joints = people(np.linspace(-170, 170, 9))
    bodies = torch.randn(9, 13, 3, generator=rng)
    frame = Upright.of(joints)
    torch.testing.assert_close(frame.points_back(frame.points(joints)), joints, atol=1e-3, rtol=0)
    torch.testing.assert_close(frame.bodies_back(frame.bodies(bodies)), bodies, atol=1e-5, rtol=1e-5)


def test_bodies_turn_as_their_projection_does():
    rng = torch.Generator().manual_seed(1)
    bodies = 0.4 * torch.randn(5, 13, 3, generator=rng)
    seen = 100 + 90 * bodies[..., :2]
    frame = Upright.of(seen)
    after, there = frame.points(seen), frame.bodies(bodies)
    torch.testing.assert_close(after - after[:, :1], 90 * (there[..., :2] - there[:, :1, :2]), atol=1e-3, rtol=0)
    assert torch.equal(there[..., 2], bodies[..., 2])


def test_the_picture_is_cut_out_as_opencv_would_turn_it():
    whole, side, degrees = picture(), 128, [0.0, 37.0, 180.0]
    joints = people(degrees)
    frame = Upright.of(joints)
    regions = region_around(frame.points(joints))
    found = frame.cut_out(whole, regions, side)
    for person in range(3):
        corners = torch.stack([regions[person, [0, 1]], regions[person, [2, 1]], regions[person, [0, 3]]])
        source = frame.points_back(corners.expand(3, 3, 2))[person].numpy()
        there = np.array([[-0.5, -0.5], [side - 0.5, -0.5], [-0.5, side - 0.5]], np.float32)
        warp = cv2.getAffineTransform(source - 0.5, there)
        pixels = np.ascontiguousarray(whole[0].permute(1, 2, 0).numpy())
        wanted = cv2.warpAffine(pixels, warp, (side, side), flags=cv2.INTER_LINEAR)
        inner = slice(4, side - 4)
        np.testing.assert_allclose(
            found[person].permute(1, 2, 0).numpy()[inner, inner], wanted[inner, inner], atol=0.02
        )
    still = cut_out(whole, regions[:1], torch.zeros(1), side)
    torch.testing.assert_close(found[:1, :, 4:-4, 4:-4], still[:, :, 4:-4, 4:-4], atol=1e-3, rtol=0)


def test_a_look_at_a_picture_on_its_head_is_the_look_at_the_picture_on_its_head():
    """Turned upright, a person is the same whichever way up the camera was held; the answer turns with the picture."""
    torch.manual_seed(0)
    close = CloseLook(width=16, upright=True).eval()
    whole, joints, bodies = picture(), people([0.0]), 0.3 * torch.randn(1, 13, 3)
    half = torch.tensor([-1.0, -1.0])
    with torch.inference_mode():
        found = close(whole, joints, bodies)
        over = close(
            whole.flip(2, 3),
            torch.tensor([320.0, 300.0]) - joints,
            torch.cat([half * bodies[..., :2], bodies[..., 2:]], 2),
        )
    torch.testing.assert_close(over.joints2d, torch.tensor([320.0, 300.0]) - found.joints2d, atol=0.5, rtol=0)
    torch.testing.assert_close(over.joints3d[..., :2], -found.joints3d[..., :2], atol=0.01, rtol=0)
    torch.testing.assert_close(over.joints3d[..., 2], found.joints3d[..., 2], atol=0.01, rtol=0)
    torch.testing.assert_close(over.quality, found.quality, atol=0.01, rtol=0)
