"""Published results on the 2D protocols.

Only numbers that were read in a publication, in its authors' release or in the configurations of mmpose stand here, in
the units of ours (shares for COCO, else per cent). After the system's name comes the part of the data set, and what
else makes the row differ from ours; "person given" means that boxes or the annotated place went in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One row of a published table.

    Args:
        protocol: name of the command's preset, such as h36m-p1.
        system: its name, or who published it.
        figures: name as in the protocol's table -> value.
        source: paper and table.
    """

    protocol: str
    system: str
    figures: Mapping[str, float]
    source: str


_LCR_NET = "Rogez et al., LCR-Net, CVPR 2017"
_HRNET = "Sun et al., HRNet, CVPR 2019"
_SIMPLE = "Xiao et al., SimpleBaseline, ECCV 2018, and its release"
_ALPHAPOSE = "AlphaPose's README"
_ZOO = "configurations of mmpose"


_KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def _by_kind(figure: str, values: str, mean: str) -> dict[str, float]:
    """Names of figures behind `figure`, with the numbers of a published row; the last is that of `mean`."""
    names = [*(f"{figure} {kind}".strip() for kind in _KINDS), mean]
    return dict(zip(names, map(float, values.split()), strict=True))


def _posetrack(system: str, ap: str, mota: str, source: str) -> Published:
    return Published("posetrack", system, (_by_kind("AP", ap, "AP") if ap else {})
                     | (_by_kind("MOTA", mota, "MOTA") if mota else {}), source)  # fmt: skip


def _pckh(system: str, mean: float, source: str, double: float | None = None) -> Published:
    return Published("mpii-single", system, {"PCKh@0.5": mean} | ({} if double is None else {"PCKh@1": double}), source)


PUBLISHED2D: tuple[Published, ...] = (
    _pckh("LCR-Net, test set", 74.2, f"{_LCR_NET}, table 4"),
    _pckh("LCR-Net, own validation set, about", 75.0, f"{_LCR_NET}, section 4.2", 90.0),
    _pckh("LCR-Net, also COCO, own validation set", 78.5, f"{_LCR_NET}, section 4.2"),
    _pckh("Convolutional Pose Machines, test set, person given", 88.5, f"{_LCR_NET}, table 4"),
    _pckh("SimpleBaseline ResNet-50, validation set, person given", 88.5, _SIMPLE),
    _pckh("SimpleBaseline ResNet-152, validation set, person given", 90.2, _SIMPLE),
    _pckh("HRNet-W32, validation set, person given", 90.0, _ZOO),
    _pckh("Stacked Hourglass, test set, person given", 90.9, "Newell et al., ECCV 2016"),
    _pckh("Integral Regression, test set, person given", 91.0, "Sun et al., ECCV 2018"),
    _pckh("HRNet-W32, test set, person given", 92.3, _HRNET),
    Published("mpii-multi", "LCR-Net, own validation set, about", {"AP": 49.0, "AP@1": 60.0},
              f"{_LCR_NET}, section 4.2"),
    Published("mpii-multi", "OpenPose, full test set",
              _by_kind("", "91.2 87.6 77.7 66.8 75.4 68.9 61.7 75.6", "AP"), _ALPHAPOSE),
    Published("mpii-multi", "Newell & Deng, full test set",
              _by_kind("", "92.1 89.3 78.9 69.8 76.2 71.6 64.7 77.5", "AP"), _ALPHAPOSE),
    Published("mpii-multi", "AlphaPose, full test set",
              _by_kind("", "91.3 90.5 84.0 76.4 80.3 79.9 72.4 82.1", "AP"), _ALPHAPOSE),
    _posetrack("Detect-and-Track, PoseTrack Challenge val", "67.5 70.2 62.0 51.7 60.7 58.7 49.8 60.6",
               "61.7 65.5 57.3 45.7 54.3 53.1 45.7 55.2", _ALPHAPOSE),
    _posetrack("AlphaPose, PoseTrack Challenge val", "66.7 73.3 68.3 61.1 67.5 67.0 61.3 66.5", "", _ALPHAPOSE),
    _posetrack("PoseFlow, PoseTrack Challenge val", "", "59.8 67.0 59.8 51.6 60.0 58.4 50.5 58.3", _ALPHAPOSE),
    _posetrack("SimpleBaseline ResNet-50, PoseTrack18 val", "78.9 81.9 77.8 70.8 75.3 73.2 66.4 75.2", "", _ZOO),
    _posetrack("SimpleBaseline ResNet-50, PoseTrack18 val, person given",
               "86.5 87.5 82.3 75.6 79.9 78.6 74.0 81.0", "", _ZOO),
    Published("crowdpose", "OpenPose, test set", {"easy": 62.7, "medium": 48.7, "hard": 32.3}, _ALPHAPOSE),
    Published("crowdpose", "SimpleBaseline, test set", {"AP": 60.8}, "Li et al., CrowdPose, CVPR 2019"),
    Published("crowdpose", "CrowdPose (AlphaPose), test set", {"AP": 66.0, "easy": 75.5, "medium": 66.3, "hard": 57.4},
              "Li et al., CrowdPose, CVPR 2019"),
    Published("crowdpose", "HRNet-W32, test set", {"AP": 67.5}, _ZOO),
    Published("coco", "DeepPose ResNet-50, val2017, 17 joints, person given", {"AP": 0.541}, _ZOO),
    Published("coco", "OpenPose, test-dev, 17 joints", {"AP": 0.618}, _ALPHAPOSE),
    Published("coco", "CPN ResNet-50, minival, 17 joints, person given", {"AP": 0.697}, "CPN's release"),
    Published("coco", "SimpleBaseline ResNet-50, val2017, 17 joints, person given", {"AP": 0.704}, _SIMPLE),
    Published("coco", "SimpleBaseline ResNet-152, val2017, 17 joints, person given", {"AP": 0.720}, _SIMPLE),
    Published("coco", "AlphaPose, test-dev, 17 joints", {"AP": 0.733}, _ALPHAPOSE),
    Published("coco", "HRNet-W32, val2017, 17 joints, person given", {"AP": 0.749}, _ZOO),
    Published("coco", "HRNet-W48, val2017, 17 joints, person given", {"AP": 0.756}, _ZOO),
)  # fmt: skip
"""All rows, by protocol."""
