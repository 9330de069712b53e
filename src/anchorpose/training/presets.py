"""Presets: every number of a network and of its training, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch

from anchorpose.core.errors import InputError
from anchorpose.datasets.transforms import Augmentation
from anchorpose.lcrnet.anchors import AnchorPoses
from anchorpose.lcrnet.close_look import CloseLook
from anchorpose.lcrnet.heads import PoseHead
from anchorpose.lcrnet.integration import IntegrationOptions
from anchorpose.lcrnet.lift import Lift
from anchorpose.lcrnet.localization import Localization
from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.movenet import LIGHTNING, THUNDER
from anchorpose.lcrnet.people import PeopleOptions
from anchorpose.lcrnet.second_pass import SecondPass
from anchorpose.lcrnet.trunks import MoveNetFeatures, Pyramid, TimmFeatures


@dataclass(frozen=True)
class Preset:
    """A network and how it is trained.

    Args:
        name: of the preset and its weights.
        backbone: `movenet-multipose` or a timm name. strides: of the levels used.
        frozen: keep the trunk as it is; its features may then be replayed.
        frozen_blocks: first blocks of MoveNet's trunk that stay as they are where the rest is trained.
        trunk_rate: learning rate of the trunk over that of the rest. tuned_rate: that of other released weights.
        second_width: channels of the second pass; 0 leaves it out. passes: how often it looks at inference.
        close_width: of the close look; 0 leaves it out. close_trunk: `movenet-thunder` or `movenet-lightning`.
        lift: width of what says the close look's 3D anew; 0 leaves it out.
        anchors: K. width: channels of the pyramid. hidden: of the two fully connected layers.
        ranks: of their weights and of the regression's (`lcrnet.heads.PoseHead`).
        anchor_sizes: of the RPN, pixels, for each level.
        pre_nms, post_nms: proposals of the RPN (training, inference). min_objectness: of them at inference.
        max_proposals: poses given to PPI.
        regions, positive_share: regions a picture and how many of them on people.
        smooth_l1_beta, loss_weights: of the losses.
        learning_rate, weight_decay, batch_size, epochs, warmup_steps, ema, clip, dropout: of the optimiser.
        replay: a frozen trunk's features of earlier pictures that join each step, as a multiple of the batch.
        max_side: longer side of a photograph at inference, pixels. integration: of PPI.
    """

    name: str
    backbone: str
    strides: tuple[int, ...]
    frozen: bool
    anchors: int
    width: int
    hidden: int
    anchor_sizes: tuple[tuple[int, ...], ...]
    pre_nms: tuple[int, int] = (2000, 1000)
    post_nms: tuple[int, int] = (300, 100)
    min_objectness: float = 0.0
    max_proposals: int = 256
    regions: int = 32
    positive_share: float = 0.25
    smooth_l1_beta: float = 1.0
    loss_weights: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 8
    epochs: float = 20
    warmup_steps: int = 200
    ema: float = 0.999
    clip: float = 5.0
    dropout: float = 0.0
    replay: int = 0
    replay_size: int = 2000
    augmentation: Augmentation = field(default_factory=Augmentation)
    max_side: int = 448
    frozen_blocks: int = 0
    trunk_rate: float = 1.0
    tuned_rate: float = 1.0
    ranks: tuple[int, int, int] = (0, 0, 0)
    second_width: int = 0
    close_width: int = 0
    close_trunk: str = "movenet-thunder"
    lift: int = 0
    passes: int = 1
    people: PeopleOptions = field(default_factory=PeopleOptions)
    integration: IntegrationOptions = field(default_factory=IntegrationOptions)

    def build(self, anchors: AnchorPoses) -> LCRNet:
        """The network with fresh heads; trunk weights are loaded by `anchorpose.training.trunk_weights`."""
        own = self.backbone == "movenet-multipose"
        trunk = MoveNetFeatures() if own else TimmFeatures(self.backbone, self.strides)
        if isinstance(trunk, MoveNetFeatures):
            trunk.freeze_early(self.frozen_blocks)
        pyramid = Pyramid(trunk.channels, self.width)
        localization = Localization(self.width, self.anchor_sizes, self.pre_nms, self.post_nms,
                                    min_objectness=self.min_objectness)  # fmt: skip
        head = PoseHead(self.width, self.strides, len(anchors), self.hidden, evidence=own, dropout=self.dropout,
                        ranks=self.ranks)  # fmt: skip
        second = None
        if self.second_width:
            assert isinstance(trunk, MoveNetFeatures), "a second pass needs MoveNet's trunk"
            second = SecondPass(trunk.fine_channels, trunk.channels, self.strides, self.second_width)
        if own:
            head.start_from_evidence(torch.from_numpy(anchors.joints2d))
        return LCRNet(trunk, pyramid, localization, head, anchors, frozen=self.frozen, regions=self.regions,
                      positive_share=self.positive_share, smooth_l1_beta=self.smooth_l1_beta,
                      max_proposals=self.max_proposals, second=second, passes=self.passes,
                      people=self.people, close=self._close_look(),
                      lift=Lift(self.lift) if self.lift else None)  # fmt: skip

    def _close_look(self) -> CloseLook | None:
        trunks = {"movenet-thunder": THUNDER, "movenet-lightning": LIGHTNING}
        return CloseLook(self.close_width, trunks[self.close_trunk]) if self.close_width else None


_LITE = Preset(
    name="lcrnet-lite", backbone="movenet-multipose", strides=(8, 16, 32), frozen=False, anchors=20, width=96,
    hidden=1024, anchor_sizes=((24, 48), (80, 130), (210, 340)), pre_nms=(400, 400), post_nms=(100, 100),
    min_objectness=0.3, regions=32, positive_share=0.5, smooth_l1_beta=0.1,
    loss_weights={"regression2d": 10.0, "regression3d": 4.0, "visibility": 0.5, "second_heat": 1.0, "second3d": 4.0,
                  "second_visibility": 0.5},
    learning_rate=1e-3, weight_decay=0.05, dropout=0.1, batch_size=8, frozen_blocks=6, trunk_rate=0.03, tuned_rate=0.1,
    second_width=64, close_width=64, close_trunk="movenet-lightning", lift=512, max_side=384,
    # Full rank's figures in 0.88 of its time; half of these cost 0.006 of PCK (`benchmarks/ablation.py --ranks`).
    ranks=(64, 96, 128),
    augmentation=Augmentation(rotation=25.0),
    # A closer look at unlikelier people costs as much as at others and gains little (`benchmarks/ablation.py`).
    # Below a score of 0.4 precision falls more than recall rises: `anchorpose evaluate coco --report`.
    people=PeopleOptions(min_person_score=0.3, min_quality=0.4),
    integration=IntegrationOptions(iou_threshold=0.4, overlap="upper_body_iou", min_person_score=0.0, min_quality=0.4,
                                   same_person=0.75),
)  # fmt: skip

PRESETS = {
    p.name: p
    for p in (
        _LITE,
        # At 512 px bottles become people of up to 0.47: `detect --model lcrnet-base --min-score 0.3` finds nine people
        # on the example photographs, which show six.
        replace(_LITE, name="lcrnet-base", close_trunk="movenet-thunder", max_side=512, min_objectness=0.1,
                people=PeopleOptions(min_person_score=0.1, min_quality=0.2),
                integration=replace(_LITE.integration, min_quality=0.48)),
        Preset(
            name="lcrnet-efficientnet", backbone="tf_efficientnet_lite0", strides=(8, 16, 32), frozen=False,
            anchors=20, width=96, hidden=1024, anchor_sizes=((24, 48), (80, 130), (210, 340)), pre_nms=(400, 400),
            post_nms=(100, 100), regions=48, positive_share=0.5, smooth_l1_beta=0.1,
            loss_weights=dict(_LITE.loss_weights), learning_rate=5e-4, weight_decay=0.05, dropout=0.1,
        ),
        # The papers' networks: K = 100 and VGG-16 (CVPR 2017), K = 10 and ResNet-50 (LCR-Net++'s release).
        Preset(
            name="lcrnet-vgg16", backbone="vgg16", strides=(16,), frozen=False, anchors=100, width=512, hidden=4096,
            anchor_sizes=((128, 256, 512),), learning_rate=1e-4, weight_decay=5e-4,
        ),
        Preset(
            name="lcrnet-resnet50", backbone="resnet50", strides=(16,), frozen=False, anchors=10, width=512,
            hidden=2048, anchor_sizes=((32, 64, 128, 256, 512),), learning_rate=1e-4, weight_decay=1e-4,
        ),
    )
}  # fmt: skip


def find_preset(name: str) -> Preset:
    """The preset of that name; InputError with the known names if there is none."""
    if name not in PRESETS:
        raise InputError(f"found no preset {name!r}; the presets are {', '.join(PRESETS)}")
    return PRESETS[name]
