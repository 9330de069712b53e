"""Figures of a network in torch, by the same integration and protocols as the released graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import LCR13
from anchorpose.evaluation.protocols import Table, evaluate_coco, evaluate_lsp, load_annotations
from anchorpose.io.images import read_image
from anchorpose.io.letterbox import letterbox
from anchorpose.lcrnet.integration import IntegrationOptions, Proposals, integrate
from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.refinement import Refined


def predict(model: LCRNet, path: Path, max_side: int, options: IntegrationOptions) -> Poses:
    """The people of one photograph, unplaced, their 3D as seen straight on (2D figures need neither).

    Raises:
        InputError: the photograph cannot be read.
    """
    image = read_image(path)
    padded, factor = letterbox(image, max_side)
    with torch.inference_mode():
        found, second = model(torch.from_numpy(padded)[None])
    back = 1 / factor[0], 1 / factor[1]
    proposals = Proposals(*(tensor.cpu().numpy() for tensor in found)).scaled(back)
    refined = None if second is None else Refined(*(tensor.cpu().numpy() for tensor in second)).scaled(back)
    height, width = image.shape[:2]
    people = integrate(proposals, len(model.anchors3d), width, height, options, refined)
    states = np.where(people.visibility >= 0.5, JointState.VISIBLE, JointState.HIDDEN).astype(np.uint8)
    return Poses(LCR13, Camera.from_fov(width, height), people.scores, boxes.around(people.joints2d, 0.1),
                 people.joints2d, people.joints3d, np.full((len(people.scores), 3), np.nan, np.float32),
                 people.visibility, states, people.hypotheses)  # fmt: skip


def validate(model: LCRNet, annotations: Path, images: Path, max_side: int, options: IntegrationOptions) -> Table:
    """COCO AP, or PCK@0.2 where the annotations name LSP's head top, over all annotated photographs.

    Raises:
        InputError: the annotations or a photograph cannot be read.
    """
    truth = load_annotations(annotations)
    model.eval()
    lsp = "head_top" in truth.skeleton.joints
    if not lsp:  # AP ranks everyone, also unlikely people
        options = replace(options, min_person_score=0.0, min_quality=0.0)
    predictions = {i.file_name: predict(model, images / i.file_name, max_side, options) for i in truth.images}
    return evaluate_lsp(truth, predictions) if lsp else evaluate_coco(truth, predictions)
