import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from dataclasses import replace  # noqa: E402

from anchorpose.core.skeleton import COCO17, LCR13  # noqa: E402
from anchorpose.lcrnet.heads import JointEvidence  # noqa: E402
from anchorpose.lcrnet.trunks import Pyramid, Standardised, TimmFeatures  # noqa: E402
from anchorpose.training.presets import PRESETS  # noqa: E402


@pytest.fixture
def lite(anchors):
    torch.manual_seed(0)
    return replace(PRESETS["lcrnet-lite"], hidden=64, width=16).build(anchors).eval()


def test_proposals_are_scored_sorted_and_inside_the_contract(lite):
    image = torch.randint(0, 256, (1, 160, 224, 3), dtype=torch.uint8)
    with torch.inference_mode():
        found, people = lite(image)
    m = len(found.scores)
    assert 0 < m <= 256
    shapes = {"boxes": (m, 4), "labels": (m,), "joints2d": (m, 13, 2), "joints3d": (m, 13, 3), "visibility": (m, 13)}
    for name, shape in shapes.items():
        assert getattr(found, name).shape == shape
    assert (found.scores.diff() <= 0).all()
    assert found.labels.min() >= 0
    assert found.labels.max() < 10
    assert (found.boxes[:, :2] >= 0).all()
    assert (found.boxes[:, 2] <= 224).all()
    assert (found.boxes[:, 3] <= 160).all()
    shapes = {"refined2d": (13, 2), "refined3d": (13, 3), "refined_visibility": (13,), "errors": (13,), "quality": ()}
    assert set(people.seeds.tolist()) <= set(range(m))
    for name, shape in shapes.items():
        assert getattr(people, name).shape == (len(people.seeds), *shape)
    assert (people.errors > 0).all()


def test_unlikely_boxes_are_no_proposals_but_the_likeliest_is(lite):
    """Those left are the first of all, as many as are likely; and never none."""
    levels = [torch.randn(1, 16, 160 // s, 160 // s, generator=torch.Generator().manual_seed(s)) for s in (8, 16, 32)]
    with torch.inference_mode():
        lite.localization.least_logit = -float("inf")
        every = lite.localization.propose(levels, (160, 160))
        logits = torch.cat([t.flatten() for t in lite.localization.head(levels)[0]]).sort().values
        counts = []
        for share in (0.99, 0.999):
            lite.localization.least_logit = float(logits[int(share * len(logits))])
            fewer = lite.localization.propose(levels, (160, 160))
            assert torch.equal(fewer, every[: len(fewer)])
            counts.append(len(fewer))
        lite.localization.least_logit = 1e3
        assert torch.equal(lite.localization.propose(levels, (160, 160)), every[:1])
    assert len(every) > counts[0] > counts[1] > 0


def test_decode_places_anchors_in_their_boxes(lite, anchors):
    """With no offsets and one certain class, the proposal is that anchor in that box."""
    from anchorpose.lcrnet.heads import RegionOutput

    logits = torch.full((1, 11), -30.0)
    logits[0, 7] = 30.0
    output = RegionOutput(logits, torch.zeros(1, 10, 5, 13), torch.zeros(1, 13))
    found = lite.decode(output, torch.tensor([[10.0, 20, 110, 220]]))
    assert found.labels[0] == 7
    np.testing.assert_allclose(found.scores[0], 1, atol=1e-5)
    np.testing.assert_allclose(found.joints2d[0], anchors.joints2d[7] * [100, 200] + [10, 20], rtol=1e-5)
    np.testing.assert_allclose(found.joints3d[0], anchors.joints3d[2])


def test_a_frozen_trunk_stays_as_it_is(anchors):
    lite = replace(PRESETS["lcrnet-lite"], hidden=64, width=16, frozen=True).build(anchors)
    lite.train()
    assert not any(p.requires_grad for p in lite.trunk.parameters())
    assert not lite.trunk.training
    assert lite.head.training
    assert not lite.features(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)).levels[0].requires_grad


def test_early_blocks_stay_and_later_ones_learn(lite):
    """Gradients reach the trunk from block 6 on, through pyramid, evidence and second pass."""
    features = lite.train().features(torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8))
    sum(x.mean() for x in (*features.levels, features.dense, features.fine)).backward()
    moved = {name for name, p in lite.trunk.named_parameters() if p.grad is not None}
    early = {n for n in dict(lite.trunk.named_parameters())
             if n.startswith("trunk.stem") or (n.startswith("trunk.blocks.") and int(n.split(".")[2]) < 6)}  # fmt: skip
    assert moved
    assert not moved & early
    assert {f"trunk.blocks.{i}.project.weight" for i in range(6, 17)} <= moved


def dense_maps(joints, height=40, width=40):
    """MoveNet's dense maps as they would be for one person, at stride 4."""
    dense = torch.zeros(1, 52, height, width)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = joints.mean(0) / 4
    dense[0, 0] = torch.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 8)
    for j, (px, py) in enumerate(joints):
        dense[0, 1 + j] = torch.exp(-((x + 0.5 - px / 4) ** 2 + (y + 0.5 - py / 4) ** 2) / 2)
        dense[0, 18 + 2 * j], dense[0, 19 + 2 * j] = py / 4 - y, px / 4 - x
    return dense


def test_in_evaluation_standardising_and_convolving_are_one_convolution():
    torch.manual_seed(0)
    layers = Standardised(5, 3)
    x = 40 * torch.randn(4, 5, 6, 7) + 90
    found = layers(x)  # standardised by the batch itself, whose statistics it takes over by a tenth
    own = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), unbiased=False, keepdim=True)
    torch.testing.assert_close(found, layers[1](own), atol=1e-4, rtol=0)
    assert layers[0].running_mean.mean() > 5
    layers.eval()
    gradients = []
    for found in (layers(x), layers[1](layers[0](x))):
        torch.testing.assert_close(found, layers[1](layers[0](x)), atol=1e-4, rtol=0)
        layers.zero_grad()
        found.square().mean().backward()
        gradients.append(layers[1].weight.grad.clone())
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)


def test_evidence_finds_the_joints_of_its_person():
    """Votes and heat maps of a drawn person lead to the joints, in box coordinates."""
    rng = torch.Generator().manual_seed(0)
    joints = torch.rand(17, 2, generator=rng) * 60 + 40
    box = torch.tensor([30.0, 30, 110, 110])
    rois = torch.cat([torch.zeros(1), box])[None]
    features, skip = JointEvidence()(dense_maps(joints), rois, torch.tensor([[80.0, 80]]))
    assert features.shape == (1, JointEvidence.features)
    first, place = skip[0, :34].view(17, 2), skip[0, 34:68].view(17, 2)
    wanted = (joints - 30) / 80
    assert (place - wanted).abs().max() < 0.03
    assert (first - wanted).abs().max() < 0.06


def test_regression_starts_as_a_copy_of_the_evidence(lite, anchors):
    """Before any training the regressed body joints are where the evidence puts them."""
    joints = torch.rand(17, 2, generator=torch.Generator().manual_seed(1)) * 60 + 40
    box = torch.tensor([[30.0, 30, 110, 110]])
    dense = dense_maps(joints)
    levels = [torch.zeros(1, 16, 160 // s, 160 // s) for s in (8, 16, 32)]
    with torch.inference_mode():
        output = lite.head(levels, dense, [box], (160, 160))
    label = 3
    offsets2d, _ = output.offsets(torch.tensor([0]), torch.tensor([label]))
    found = (anchors.joints2d[label] + offsets2d[0].numpy()) * 80 + 30
    source = COCO17.map_to(LCR13)[:12]
    assert np.abs(found[:12] - joints.numpy()[source]).max() < 6


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "resnet18", "tf_efficientnet_lite0"])
def test_any_timm_backbone_gives_its_levels(name):
    trunk = TimmFeatures(name, (8, 16, 32)).eval()
    with torch.inference_mode():
        found = trunk(torch.rand(1, 3, 64, 96))
        pyramid = Pyramid(trunk.channels, 24).eval()(found.levels)
    assert found.dense is None
    assert [tuple(x.shape) for x in pyramid] == [(1, 24, 8, 12), (1, 24, 4, 6), (1, 24, 2, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_builds_trains_a_step_and_detects(name, anchors, poses3d):
    from anchorpose.datasets.loader import make_target
    from tests.lcrnet.test_targets import person_from

    model = PRESETS[name].build(anchors)
    images = torch.randint(0, 256, (1, 3, 256, 256), dtype=torch.uint8)
    target = make_target([person_from(poses3d[0], 80, (128, 110))], anchors, True)
    losses = model.train().losses(model.features(images), [target], (256, 256), torch.Generator().manual_seed(0))
    sum(losses.values()).backward()
    assert all(torch.isfinite(v) for v in losses.values())
    assert model.head.classify.weight.grad.abs().sum() > 0
    with torch.inference_mode():
        assert len(model.eval()(images.permute(0, 2, 3, 1))[0].scores)
