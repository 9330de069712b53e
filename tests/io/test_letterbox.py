import numpy as np
import pytest

from anchorpose.io.letterbox import ENLARGE, letterbox


@pytest.mark.parametrize(("height", "width"), [(100, 200), (1, 1), (333, 77), (64, 64)])
def test_letterbox_scales_and_pads(height, width):
    image = np.full((height, width, 3), 9, np.uint8)
    padded, factor = letterbox(image, 160)
    assert padded.shape[0] % 32 == 0
    assert padded.shape[1] % 32 == 0
    assert min(padded.shape[:2]) >= 128
    longer = max(round(height * factor[1]), round(width * factor[0]))
    assert longer == min(160, max(1, round(max(height, width) * ENLARGE)))


def test_letterbox_gives_rgb_over_black():
    image = np.zeros((100, 160, 3), np.uint8)
    image[:, :, 0] = 200  # blue
    padded, _ = letterbox(image, 160)
    assert (padded[:100, :, 2] == 200).all()
    assert (padded[:100, :, :2] == 0).all()
    assert (padded[100:] == 0).all()
