"""A detector that is never wrong, and one that is wrong in every way."""

from anchorpose.training.posebert.noise import DetectorNoise

_NONE = (0.0, 0.0, 0.0)
PERFECT = DetectorNoise(
    gain=((1.0, 1.0, 1.0),) * 7, offset=(_NONE,) * 7, size=0.0, sizes=_NONE, turns=(_NONE,) * 3,
    joints=((_NONE,) * 7,) * 3, memory=0.3, burst=0.0, unseen=(0.0, 0.1, 1.0), missing=(0.0, 0.1), swaps=(0.0, 0.0),
    swap_seconds=0.1,
)  # fmt: skip
NOISE = DetectorNoise(
    gain=((0.9, 0.8, 0.5),) * 7, offset=((0.02, 0.03, -0.01),) * 6 + ((0.0, 0.03, -0.01),), size=-0.1,
    sizes=(0.04, 0.03, 0.02), turns=((0.05, 0.2, 0.03), (0.03, 0.15, 0.03), (0.02, 0.08, 0.02)),
    joints=(((0.02, 0.02, 0.03),) * 7, ((0.02, 0.02, 0.03),) * 7, ((0.01, 0.01, 0.02),) * 7), memory=0.3, burst=0.4,
    unseen=(0.1, 0.3, 1.5), missing=(0.15, 0.3), swaps=(0.05, 0.03), swap_seconds=0.1,
)  # fmt: skip
