"""Published results on the 2D protocols, and ours beside them.

Only numbers that were read in a publication, in its authors' release or in the configurations of mmpose stand here, in
the units of ours (shares for COCO, else per cent). After the system's name comes the part of the data set, and what
else makes the row differ from ours; "person given" means that boxes or the annotated place went in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anchorpose.evaluation.protocols import Table, format_table
from anchorpose.evaluation.published3d import Published

_KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
Columns = Mapping[str, Mapping[str, str]]
"""Name of a row, empty where there is one -> heading of a column -> name of the figure."""
COLUMNS: Mapping[str, Columns] = {
    "coco": {"": {name: name for name in ("AP", "AP50", "AP75", "AR")}},
    "mpii-single": {"": {kind.title(): kind for kind in _KINDS} | {"Mean": "PCKh@0.5", "AUC": "AUC"}},
    "mpii-multi": {"": {kind.title(): kind for kind in _KINDS} | {"Mean AP": "AP"}},
    "crowdpose": {"": {"AP": "AP", "AP50": "AP50", "AP75": "AP75", "AR": "AR", "AP easy": "easy",
                       "AP medium": "medium", "AP hard": "hard"}},
    "posetrack": {figure: {kind.title(): f"{figure} {kind}" for kind in _KINDS} | {"Total": figure}
                  for figure in ("AP", "MOTA")},
}  # fmt: skip
"""The tables as they are published."""

_LCR_NET = "Rogez et al., LCR-Net, CVPR 2017"
_HRNET = "Sun et al., HRNet, CVPR 2019"
_SIMPLE = "Xiao et al., SimpleBaseline, ECCV 2018, and its release"
_ALPHAPOSE = "AlphaPose's README"
_ZOO = "configurations of mmpose"


def _pckh(system: str, mean: float, source: str) -> Published:
    return Published("mpii-single", system, {"PCKh@0.5": mean}, source)


PUBLISHED2D: tuple[Published, ...] = (
    _pckh("LCR-Net, test set", 74.2, f"{_LCR_NET}, table 4"),
    _pckh("LCR-Net, own validation set, about", 75.0, f"{_LCR_NET}, section 4.2"),
    _pckh("LCR-Net, also COCO, own validation set", 78.5, f"{_LCR_NET}, section 4.2"),
    _pckh("Convolutional Pose Machines, test set, person given", 88.5, f"{_LCR_NET}, table 4"),
    _pckh("SimpleBaseline ResNet-50, validation set, person given", 88.5, _SIMPLE),
    _pckh("SimpleBaseline ResNet-152, validation set, person given", 90.2, _SIMPLE),
    _pckh("HRNet-W32, validation set, person given", 90.0, _ZOO),
    _pckh("Stacked Hourglass, test set, person given", 90.9, "Newell et al., ECCV 2016"),
    _pckh("Integral Regression, test set, person given", 91.0, "Sun et al., ECCV 2018"),
    _pckh("HRNet-W32, test set, person given", 92.3, _HRNET),
    Published("mpii-multi", "LCR-Net, own validation set, about", {"AP": 49.0}, f"{_LCR_NET}, section 4.2"),
    Published("mpii-multi", "OpenPose, full test set", {"AP": 75.6}, _ALPHAPOSE),
    Published("mpii-multi", "AlphaPose, full test set", {"AP": 82.1}, _ALPHAPOSE),
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


def format_beside(protocol: str, ours: Mapping[str, Table]) -> str:
    """The table of a protocol as papers print it: a row a system, ours first, then the published, and their sources.

    Args:
        protocol: one of `COLUMNS`; KeyError for another.
        ours: name of a system -> its figures.
    """
    rows = [row for row in PUBLISHED2D if row.protocol == protocol]
    sources = list(dict.fromkeys(row.source for row in rows))
    names = [f"{row.system} (published [{sources.index(row.source) + 1}])" for row in rows]
    systems = list(zip([*ours, *names], [*ours.values(), *(row.figures for row in rows)], strict=True))
    decimals = 3 if protocol == "coco" else 1
    parts = [_format(figure, columns, systems, decimals) for figure, columns in COLUMNS[protocol].items()]
    return "\n".join([*parts, *(f"[{i + 1}] {source}" for i, source in enumerate(sources))])


def _format(figure: str, columns: Mapping[str, str], systems: Sequence[tuple[str, Mapping[str, float | None]]],
            decimals: int) -> str:  # fmt: skip
    names = [f"{figure}: {system}" if figure else system for system, _ in systems]
    return format_table({heading: {name: own.get(key) for name, (_, own) in zip(names, systems, strict=True)}
                         for heading, key in columns.items()}, decimals)  # fmt: skip
