"""Leeds Sports Pose and its extended training set: `joints.mat` and the folder `images`.

Known from the archives' READMEs: 14 joints in the order of `LSP14`, person-centric, a binary value for visibility,
one labelled person for each picture; LSP has 2000 pictures `im0001.jpg` ... of which the first 1000 are for training,
LSPE 10000 `im00001.jpg` ..., all for training. Known from the files: LSP's `joints` is (3, 14, 2000), LSPE's
(14, 3, 10000).

Inferred, as the field's converters do: LSP's third value is 1 where a joint is hidden (it labels all of them), LSPE's
is 1 where a joint is labelled (the others have no usable place); coordinates count MATLAB's way from (1, 1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LSP14
from anchorpose.datasets.archives import Archive, read_mat
from anchorpose.datasets.labels import from_matlab, labelled_person
from anchorpose.datasets.samples import UNKNOWN, Annotation, Sample

_LICENCE = "none stated with the archive; the pictures are Flickr users'"
LSP = Archive(
    "Leeds Sports Pose",
    "sam.johnson.io/research/lsp.html",
    "Johnson and Everingham, Clustered Pose and Nonlinear Appearance Models for Human Pose Estimation, BMVC 2010",
    _LICENCE,
    ("joints.mat", "images"),
)
LSPE = Archive(
    "Leeds Sports Pose Extended",
    "sam.johnson.io/research/lspet.html",
    "Johnson and Everingham, Learning Effective Human Pose Estimation from Inaccurate Annotation, CVPR 2011",
    _LICENCE,
    ("joints.mat", "images"),
)
LSP_PICTURES = 2000
LSP_TRAINING = 1000
LSPE_PICTURES = 10000


def read_lsp(root: Path, split: Literal["train", "test", "all"] = "train") -> list[Sample]:
    """Samples of LSP, one person each; `id` is the picture's number from 1.

    The archive with the original, larger pictures (`lsp_dataset_original`) has the same layout.

    Args:
        root: the unpacked archive.
        split: pictures 1 to 1000 (train), 1001 to 2000 (test), or both.

    Raises:
        InputError: parts of the archive are missing, or `joints` is not (3, 14, 2000).
    """
    joints = _joints(root, LSP, (3, len(LSP14), LSP_PICTURES)).transpose(2, 1, 0)
    hidden = joints[..., 2] > 0
    first, last = {"train": (0, LSP_TRAINING), "test": (LSP_TRAINING, LSP_PICTURES), "all": (0, LSP_PICTURES)}[split]
    visible = np.where(hidden, 0, 1).astype(np.int8)
    images = LSP.part(root, 1)
    return [_sample(images / f"im{i + 1:04}.jpg", i + 1, joints[i], visible[i]) for i in range(first, last)]


def read_lspe(root: Path) -> list[Sample]:
    """Samples of LSPE (all for training), one person each; `id` is the picture's number from 1.

    Raises:
        InputError: parts of the archive are missing, or `joints` is not (14, 3, 10000).
    """
    joints = _joints(root, LSPE, (len(LSP14), 3, LSPE_PICTURES)).transpose(2, 0, 1)
    labelled = joints[..., 2] > 0
    joints = np.where(labelled[..., None], joints, np.nan)
    visible = np.where(labelled, 1, UNKNOWN).astype(np.int8)
    images = LSPE.part(root, 1)
    return [_sample(images / f"im{i + 1:05}.jpg", i + 1, joints[i], visible[i]) for i in range(len(joints))]


def _joints(root: Path, archive: Archive, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    archive.require(root)
    path = archive.part(root, 0)
    joints = np.asarray(read_mat(path, "joints", archive))
    if joints.shape != shape or joints.dtype.kind not in "fiu":
        raise InputError(f"{path} has joints of shape {joints.shape}, wanted {shape} numbers; "
                         f"is it another archive than {archive.name}? {archive.source}")  # fmt: skip
    return joints.astype(np.float64)


def _sample(path: Path, number: int, joints: NDArray[Any], visible: NDArray[Any]) -> Sample:
    usable = np.isfinite(joints[:, :2]).all(axis=1, keepdims=True)
    annotation = Annotation(LSP14, from_matlab(np.where(usable, joints[:, :2], np.nan)), visible)
    people = (labelled_person(annotation),) if annotation.labelled.any() else ()
    return Sample(path, people, exhaustive=False, id=number)
