from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.skeleton import LCR13
from tests.datasets.conftest import coco_folder  # noqa: F401
from tests.lcrnet.conftest import body


@pytest.fixture
def drawn(coco_folder):  # noqa: F811
    """(preset, network with fresh heads and a second pass, data, data set of eight pictures of 192 px)."""
    pytest.importorskip("torch")
    import torch

    from anchorpose.datasets.loader import PoseDataset
    from anchorpose.datasets.transforms import Augmentation
    from anchorpose.lcrnet.anchors import build_anchors
    from anchorpose.training.data import read_data
    from anchorpose.training.presets import PRESETS

    annotations, images = coco_folder
    data = read_data([f"{annotations}={images}"])
    anchors = build_anchors(body(np.random.default_rng(0), 100), 4)
    views = Augmentation(192, (1.0, 1.01), 0.0, flip=0.0, colour=0.0, occluder=0.0)
    preset = replace(PRESETS["lcrnet-lite"], anchors=4, hidden=64, second_width=16, close_width=0,
                     augmentation=views)  # fmt: skip
    torch.manual_seed(0)
    assert len(LCR13) == 13
    return preset, preset.build(anchors), data, PoseDataset(data.samples() * 2, anchors, views, seed=0)
