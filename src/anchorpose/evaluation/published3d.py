"""Published results on the 3D protocols.

Millimetres, and per cent for 3DPCK, AUC and the share of people found. Rows that say "third party" were read in
others' tables, not in the system's own paper. Left out is whatever does not say which figure it is: DOPE's 3DPCK on
MuPoTS-3D (all or matched), PoseBERT's errors there (which joints, which rescaling), and errors on Human3.6M without
a protocol.
"""

from __future__ import annotations

from anchorpose.evaluation.published2d import Published

_LCR = "Rogez et al., LCR-Net, CVPR 2017, table 2"
_TABLE1 = "Rogez et al., LCR-Net, CVPR 2017, table 1, K = 100"
_TABLE4 = "Rogez et al., LCR-Net, CVPR 2017, table 4"
_SLIDES = "Rogez's slides on 3D human sensing, 3D evaluation on Human3.6M, poses aligned"
_PLUGGED = "Rogez's slides on 3D human sensing, PoseBERT plugged on other algorithms"
_OTHERS = "read in a third party's table"


def _aligned(protocol: str, system: str, align: float, source: str = _LCR) -> Published:
    return Published(protocol, system, {"PA-MPJPE": align}, source)


def _h36m(protocol: str, system: str, absolute: float, align: float) -> Published:
    return Published(protocol, system, {"MPJPE": absolute, "PA-MPJPE": align}, _LCR)


def _mupots(system: str, everyone: float, matched: float) -> Published:
    return Published("mupots", system, {"3DPCK all": everyone, "3DPCK matched": matched}, _OTHERS)


def _plugged(system: str, threedpw: float, threedhp: float | None = None) -> tuple[Published, ...]:
    values = {"3dpw": threedpw, "3dhp": threedhp}
    return tuple(_aligned(protocol, system, v, _PLUGGED) for protocol, v in values.items() if v is not None)


PUBLISHED3D: tuple[Published, ...] = (
    _aligned("h36m-p1", "Kostrikov & Gall", 115.7),
    _aligned("h36m-p1", "Yasin, Iqbal et al.", 108.3),
    _h36m("h36m-p1", "Rogez & Schmid", 126.0, 88.1),
    _h36m("h36m-p1", "LCR-Net + NMS", 65.9, 55.6),
    _h36m("h36m-p1", "LCR-Net + PPI", 63.2, 53.4),
    Published("h36m-p1", "LCR-Net + NMS, 100k iterations", {"MPJPE": 70.7, "PA-MPJPE": 58.0}, _TABLE1),
    _h36m("h36m-p2", "Rogez & Schmid", 121.2, 87.3),
    _h36m("h36m-p2", "LCR-Net + NMS", 89.8, 72.3),
    Published("h36m-p2", "Wei et al., protocol not stated", {"2D error": 10.04}, _TABLE4),
    Published("h36m-p2", "LCR-Net + PPI, protocol not stated", {"2D error": 8.5}, _TABLE4),
    Published("h36m-p2", "LCR-Net + PPI", {"MPJPE": 87.7, "PA-MPJPE": 71.6, "MPJPE mean of 6 actions": 83.0},
              f"{_LCR}, and section 4.1 for 6 actions"),
    _aligned("h36m-p2", "LCR-Net + synthesised data", 59.3, _SLIDES),
    _aligned("h36m-p2", "LCR-Net++ (ResNet50)", 54.3, _SLIDES),
    _aligned("h36m-p3", "Bogo et al.", 82.3),
    _aligned("h36m-p3", "LCR-Net + NMS", 73.1),
    _aligned("h36m-p3", "LCR-Net + PPI", 72.7),
    Published("mupots", "LCR-Net", {"3DPCK all": 53.8, "3DPCK matched": 62.4, "MPJPE matched": 146.0, "detected": 86.0,
                                    "3DPCK all visible": 57.5, "3DPCK all hidden": 42.0}, _OTHERS),
    _mupots("LCR-Net++", 70.6, 74.0),
    _mupots("Mehta et al. 2018", 65.0, 69.8),
    _mupots("XNect", 70.4, 75.8),
    _mupots("Dabral et al.", 71.3, 74.2),
    _mupots("SMAP", 73.5, 80.5),
    _mupots("RootNet + PoseNet", 81.8, 82.5),
    Published("3dhp", "LCR-Net", {"3DPCK": 59.7, "AUC": 27.6}, _OTHERS),
    Published("3dhp", "Zhou et al. 2017", {"3DPCK": 69.2, "AUC": 32.5}, _OTHERS),
    *_plugged("SPIN", 59.6, 68.0),
    *_plugged("SPIN + PoseBERT", 57.3, 64.3),
    *_plugged("VIBE", 56.5, 65.4),
    *_plugged("VIBE + PoseBERT", 54.9, 64.4),
    *_plugged("MoCap-SPIN", 55.6, 66.7),
    *_plugged("MoCap-SPIN + PoseBERT", 52.9, 63.8),
    Published("3dpw", "MoCap-SPIN + PoseBERT", {"MPJPE": 89.4, "acceleration": 8.3}, _OTHERS),
    *_plugged("ROMP", 91.1),
    *_plugged("ROMP + PoseBERT", 90.2),
    *_plugged("LCR-Net++", 68.8),
    *_plugged("LCR-Net++ + PoseBERT", 58.5),
)  # fmt: skip
"""All rows, by protocol as the sources list them."""
