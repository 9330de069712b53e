"""The wiring of LCR-Net: trunk, pyramid, localization, heads; training losses and decoded proposals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from anchorpose.lcrnet.anchors import AnchorPoses
from anchorpose.lcrnet.close_look import CloseLook
from anchorpose.lcrnet.heads import PoseHead, RegionOutput
from anchorpose.lcrnet.lift import Lift
from anchorpose.lcrnet.localization import Localization, image_list
from anchorpose.lcrnet.losses import region_losses
from anchorpose.lcrnet.people import PeopleOptions, people_of
from anchorpose.lcrnet.second_losses import jittered_regions, second_losses, second_targets
from anchorpose.lcrnet.second_pass import SecondOutput, SecondPass
from anchorpose.lcrnet.targets import PictureTarget, rpn_target, sample_regions
from anchorpose.lcrnet.trunks import MoveNetFeatures, Pyramid, TimmFeatures, TrunkFeatures

JITTERED = 4
"""Jittered copies of every true box that join the RPN's proposals in training."""


class DecodedProposals(NamedTuple):
    """m scored pose proposals of one picture, best first; pixels and metres, see docs/architecture.md."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    joints2d: Tensor
    joints3d: Tensor
    visibility: Tensor


class DecodedPeople(NamedTuple):
    """s people that the second pass looked at; pixels and metres, see docs/architecture.md."""

    seeds: Tensor
    refined2d: Tensor
    refined3d: Tensor
    refined_visibility: Tensor
    errors: Tensor
    quality: Tensor


def decoded(found: SecondOutput) -> tuple[Tensor, ...]:
    """The fields of `DecodedPeople` after `seeds`."""
    side = found.regions[:, 2:3] - found.regions[:, :1]
    return (found.pixels, found.joints3d, found.visibility.sigmoid(), found.log_scale.exp() * side,
            found.quality.sigmoid())  # fmt: skip


class LCRNet(nn.Module):
    """LCR-Net from ready-made parts.

    Args:
        trunk: shared features; with `frozen` it is not trained and runs without gradients.
        pyramid, localization, head: see their classes.
        anchors: the K anchor-poses.
        regions: regions a picture in training; positive_share: at most this share of them on people.
        smooth_l1_beta: see `losses.region_losses`.
        max_proposals: pose proposals returned at inference.
        second: the second pass, or None. passes: how often it looks at inference.
        people: who it looks at.
        close: the close look at the people of the second pass, or None; `losses` has none of it, so it is trained apart
            (`anchorpose.training.second.close`) and stays as it is where the rest is trained.
        lift: what says the 3D of the close look anew, or None; trained apart too (`anchorpose.training.second.lift`).
    """

    anchors2d: Tensor
    anchors3d: Tensor

    def __init__(
        self, trunk: MoveNetFeatures | TimmFeatures, pyramid: Pyramid, localization: Localization, head: PoseHead,
        anchors: AnchorPoses, *, frozen: bool, regions: int, positive_share: float, smooth_l1_beta: float,
        max_proposals: int = 256, second: SecondPass | None = None, passes: int = 1,
        people: PeopleOptions | None = None, close: CloseLook | None = None, lift: Lift | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.trunk, self.pyramid, self.localization, self.head = trunk, pyramid, localization, head
        self.frozen, self.regions, self.positive_share = frozen, regions, positive_share
        self.smooth_l1_beta, self.max_proposals = smooth_l1_beta, max_proposals
        self.second, self.passes, self.people, self.close = second, passes, people or PeopleOptions(), close
        self.lift = lift
        self.register_buffer("anchors2d", torch.from_numpy(anchors.joints2d))
        self.register_buffer("anchors3d", torch.from_numpy(anchors.joints3d))
        if frozen:
            self.trunk.requires_grad_(False)
        for part in filter(None, (close, lift)):
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> LCRNet:
        """As torch's, but a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def features(self, images: Tensor) -> TrunkFeatures:
        """Pictures (b, 3, h, w) uint8 RGB -> trunk features, without gradients where the trunk is frozen."""
        with torch.set_grad_enabled(not self.frozen and torch.is_grad_enabled()):
            scaled = images.float().div(255).contiguous(memory_format=torch.channels_last)
            return self.trunk(scaled)

    def losses(
        self, features: TrunkFeatures, targets: Sequence[PictureTarget], image_size: tuple[int, int],
        generator: torch.Generator,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The named losses of a batch, unweighted.

        Args:
            features: of the batch. targets: its people. image_size: (h, w).
            generator: of the choice of regions.
        """
        levels = self.pyramid(features.levels)
        images = image_list(len(targets), *image_size, device=levels[0].device)
        # RPN losses in float32; proposals are constants for the heads (approximate joint training, section 3.4).
        named = {str(i): x for i, x in enumerate(levels)}
        proposals, rpn = self.localization(images, named, [rpn_target(t) for t in targets])
        with torch.no_grad():
            count, share = len(self.anchors3d), self.positive_share
            regions = [
                sample_regions(p.detach().float(), t, count, share, self.regions, JITTERED, generator)
                for p, t in zip(proposals, targets, strict=True)
            ]
        output = self.head(levels, features.dense, [r.boxes for r in regions], image_size)
        found = region_losses(output, regions, targets, self.anchors2d, self.anchors3d, self.smooth_l1_beta)
        if self.second is not None:
            chosen = second_targets(output, regions, targets, self.anchors2d, self.anchors3d, generator)
            around = jittered_regions(chosen.joints2d, generator)
            looked = self.second(self.maps(features), chosen.joints2d, chosen.joints3d, chosen.picture, around)
            found |= second_losses(looked, chosen, self.smooth_l1_beta)
        return {"objectness": rpn["loss_objectness"], "rpn_box": rpn["loss_rpn_box_reg"], **found}

    def forward(self, image: Tensor) -> tuple[DecodedProposals, DecodedPeople | None]:
        """Scored, decoded proposals of one picture, and with a second pass what it says of the people.

        Args:
            image: (1, h, w, 3) uint8 RGB, h and w multiples of 32.
        """
        proposals, people = self.look(image)
        if people is None or self.close is None:
            return proposals, people
        return proposals, self.look_closely(image.permute(0, 3, 1, 2), people)

    def look(self, image: Tensor) -> tuple[DecodedProposals, DecodedPeople | None]:
        """`forward` without the close look."""
        height, width = image.shape[1], image.shape[2]
        features = self.features(image.permute(0, 3, 1, 2))
        levels = self.pyramid(features.levels)
        boxes = self.localization.propose(levels, (height, width))
        proposals = self.decode(self.head(levels, features.dense, [boxes], (height, width)), boxes)
        if self.second is None:
            return proposals, None
        return proposals, self.look_again(features, proposals, (height, width))

    def look_again(self, features: TrunkFeatures, proposals: DecodedProposals, size: tuple[int, int]) -> DecodedPeople:
        """The second pass over the people that the proposals agree on.

        Args:
            features: of one picture. proposals: of it, best first. size: (h, w).
        """
        assert self.second is not None
        poses = proposals.joints2d, proposals.joints3d
        seeds, joints2d, joints3d = people_of(proposals.scores, *poses, size, self.people)
        maps, picture = self.second.look_at(self.maps(features)), torch.zeros_like(seeds)
        found = self.second.look(maps, joints2d, joints3d, picture)
        for _ in range(self.passes - 1):
            found = self.second.look(maps, found.pixels, found.joints3d, picture)
        return DecodedPeople(seeds, *decoded(found))

    def look_closely(self, image: Tensor, people: DecodedPeople) -> DecodedPeople:
        """The close look at the people of one picture that are likely enough; the others stay as they are.

        Args:
            image: (1, 3, h, w) uint8 RGB. people: of `look_again`.
        """
        assert self.close is not None
        # The first is always looked at: ONNX has convolutions that fail where there is nobody.
        first = torch.arange(len(people.quality), device=people.quality.device) == 0
        rows = torch.nonzero((people.quality >= self.people.min_quality) | first).flatten()
        pictures, one = image.float().div(255), torch.zeros_like(rows)
        found = self.close(pictures, people.refined2d[rows], people.refined3d[rows], one)
        if self.lift is not None:
            joints3d = self.lift(found.joints2d, found.log_scale, found.visibility, found.joints3d)
            found = found._replace(joints3d=joints3d)
        fields = zip(people[1:], decoded(found), strict=True)
        return DecodedPeople(people.seeds, *(before.index_put((rows,), after) for before, after in fields))

    @staticmethod
    def maps(features: TrunkFeatures) -> list[Tensor]:
        """The trunk's maps that the second pass looks at: stride 4 and the pyramid's."""
        assert features.fine is not None, "this trunk has no map at stride 4 for a second pass"
        return [features.fine, *features.levels]

    def decode(self, output: RegionOutput, boxes: Tensor) -> DecodedProposals:
        """The `max_proposals` best (region, anchor-pose) pairs as poses in pixels and metres."""
        classes = 2 * len(self.anchors3d)
        scores = output.logits.softmax(1)[:, :-1].reshape(-1)
        # One region alone gives 2K pairs, so an empty list of regions is the only way to have fewer.
        best = torch.argsort(scores, descending=True)[: self.max_proposals]
        region, label = best // classes, best % classes
        box = boxes[region]
        size = box[:, 2:] - box[:, :2]
        offsets2d, offsets3d = output.offsets(region, label)
        relative = self.anchors2d[label] + offsets2d
        joints3d = self.anchors3d[label % len(self.anchors3d)] + offsets3d
        joints2d = box[:, None, :2] + relative * size[:, None]
        visibility = output.visibility[region].sigmoid()
        return DecodedProposals(box, scores[best], label, joints2d, joints3d, visibility)
