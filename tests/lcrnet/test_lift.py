"""The lift: what it leaves as it is, and that where and how large somebody is in the picture says nothing."""

import pytest

torch = pytest.importorskip("torch")

from anchorpose.lcrnet.close_look import CloseLook  # noqa: E402
from anchorpose.lcrnet.lift import Lift  # noqa: E402
from anchorpose.lcrnet.model import DecodedPeople, LCRNet  # noqa: E402
from anchorpose.lcrnet.movenet import LIGHTNING  # noqa: E402
from anchorpose.lcrnet.people import PeopleOptions  # noqa: E402


@pytest.fixture
def looks():
    """2D in region coordinates, log of the errors, visibility and 3D of six people."""
    torch.manual_seed(0)
    return torch.rand(6, 13, 2), torch.randn(6, 13) * 0.5 - 3, torch.randn(6, 13), 0.4 * torch.randn(6, 13, 3)


@pytest.fixture
def lift():
    """One that was trained on something: every weight counts."""
    torch.manual_seed(1)
    lift = Lift(32)
    torch.nn.init.normal_(lift.leave.weight, std=0.1)
    return lift.eval()


def test_before_any_training_poses_stay_as_they_are(looks):
    assert torch.equal(Lift(32)(*looks), looks[3])


def test_where_and_how_large_the_person_is_says_nothing(lift, looks):
    joints2d, log_error, visibility, joints3d = looks
    with torch.inference_mode():
        found = lift(*looks)
        moved = lift(joints2d + torch.tensor([0.3, -2.0]), log_error, visibility, joints3d)
        # Errors are far above the least that counts, so all grow alike.
        large = lift(40 * joints2d, log_error + 3.688879, visibility, joints3d)
        larger = lift(80 * joints2d, log_error + 4.382027, visibility, joints3d)
    assert (found - joints3d).abs().max() > 0.01
    torch.testing.assert_close(moved, found, atol=1e-4, rtol=0)
    torch.testing.assert_close(larger, large, atol=1e-3, rtol=0)


def test_each_number_of_a_look_counts(lift, looks):
    with torch.inference_mode():
        found = lift(*looks)
        for i in range(4):
            other = [x.clone() for x in looks]
            other[i][:, 2] += 0.5
            changed = lift(*other) - other[3] - (found - looks[3])
            assert (changed.abs().amax((1, 2)) > 1e-4).all(), i


def test_a_joint_lost_far_away_counts_as_at_the_farthest_place(lift, looks):
    joints2d, log_error, visibility, joints3d = looks
    far, farther = joints2d.clone(), joints2d.clone()
    far[:, 0], farther[:, 0] = 1e3, 1e4
    lost = log_error.clone()
    lost[:, 0] = 16.0  # and nobody believes it, so it moves no centre
    with torch.inference_mode():
        assert torch.isfinite(lift(farther, lost, visibility, joints3d)).all()
        torch.testing.assert_close(lift(farther, lost, visibility, joints3d), lift(far, lost, visibility, joints3d),
                                   atol=0.02, rtol=0)  # fmt: skip


def test_the_network_lifts_whom_it_looks_at_closely_and_their_3d_alone(lift):
    torch.manual_seed(0)
    network = LCRNet.__new__(LCRNet)
    torch.nn.Module.__init__(network)
    network.close, network.people, network.lift = CloseLook(8, LIGHTNING).eval(), PeopleOptions(min_quality=0.5), None
    joints2d = torch.rand(3, 13, 2) * 60 + torch.tensor([[[10.0, 20.0]], [[70.0, 40.0]], [[30.0, 80.0]]])
    people = DecodedPeople(torch.arange(3), joints2d, 0.3 * torch.randn(3, 13, 3), torch.rand(3, 13),
                           torch.rand(3, 13), torch.tensor([0.9, 0.2, 0.6]))  # fmt: skip
    image = torch.randint(0, 256, (1, 3, 160, 160), dtype=torch.uint8)
    with torch.inference_mode():
        before = network.look_closely(image, people)
        network.lift = lift
        after = network.look_closely(image, people)
    for name in set(DecodedPeople._fields) - {"refined3d"}:
        assert torch.equal(getattr(before, name), getattr(after, name)), name
    moved = (before.refined3d - after.refined3d).abs().amax((1, 2))
    assert (moved[[0, 2]] > 1e-3).all()
    assert moved[1] == 0
