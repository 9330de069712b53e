"""L = L_loc + L_class + L_reg (LCR-Net section 3), plus the log loss of whether a joint can be seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from anchorpose.lcrnet.heads import REGRESSION_SCALE, RegionOutput
from anchorpose.lcrnet.targets import PictureTarget, RegionTarget


def region_losses(
    output: RegionOutput, regions: list[RegionTarget], targets: Sequence[PictureTarget], anchors2d: Tensor,
    anchors3d: Tensor, beta: float,
) -> dict[str, Tensor]:  # fmt: skip
    """Losses of the heads over the sampled regions.

    Args:
        output: of all regions, in the order of `regions`.
        regions, targets: one entry a picture.
        anchors2d: (2K, 13, 2) box coordinates. anchors3d: (K, 13, 3) metres.
        beta: where smooth L1 turns from square to linear, in box sides x 5 and metres x 5 (the paper: 1).

    Returns:
        `classification`, `regression2d`, `regression3d` (mean over labelled coordinates, 0 without any) and
        `visibility`.
    """
    labels = torch.cat([r.labels for r in regions])
    classification = F.cross_entropy(output.logits, labels, reduction="sum") / shared(labels.new_tensor(len(labels)))
    positive = torch.nonzero(torch.cat([r.person for r in regions]) >= 0).flatten()
    wanted2d = torch.cat([_wanted2d(r, t) for r, t in zip(regions, targets, strict=True)])
    wanted3d = torch.cat([t.joints3d[r.person[r.person >= 0]] for r, t in zip(regions, targets, strict=True)])
    seen = torch.cat([t.visible[r.person[r.person >= 0]] for r, t in zip(regions, targets, strict=True)])
    chosen = labels[positive]
    offsets2d, offsets3d = output.offsets(positive, chosen)
    error2d = anchors2d[chosen] + offsets2d - wanted2d
    error3d = anchors3d[chosen % len(anchors3d)] + offsets3d - wanted3d
    known = seen >= 0
    visibility = F.binary_cross_entropy_with_logits(
        output.visibility[positive], seen.clamp(min=0).float(), known.float(), reduction="sum"
    ) / shared(known.sum())
    return {"classification": classification, "regression2d": _smooth_l1(error2d, beta),
            "regression3d": _smooth_l1(error3d, beta), "visibility": visibility}  # fmt: skip


def _wanted2d(region: RegionTarget, target: PictureTarget) -> Tensor:
    """(positives, 13, 2) the true joints in the coordinates of their region."""
    on = region.person >= 0
    box = region.boxes[on]
    size = (box[:, 2:] - box[:, :2]).clamp(min=1.0)
    return (target.joints2d[region.person[on]] - box[:, None, :2]) / size[:, None]


def _smooth_l1(error: Tensor, beta: float) -> Tensor:
    """Mean smooth L1 over the coordinates that have a label; unlabelled ones (NaN) cost nothing."""
    labelled = ~error.isnan()
    scaled = torch.where(labelled, error, 0.0) * REGRESSION_SCALE
    loss = F.smooth_l1_loss(scaled, torch.zeros_like(scaled), reduction="sum", beta=beta)
    return loss / shared(labelled.sum())


def shared(count: Tensor) -> Tensor:
    """What a sum is divided by so that the mean over the processes of a run is that of their whole batch.

    Each process has other labels, so means over its own would weigh them unequally. As DETR does: the mean of the
    processes' counts, at least 1.
    """
    total = count.float()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)
        total = total / torch.distributed.get_world_size()
    return total.clamp(min=1)
