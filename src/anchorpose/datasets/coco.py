"""COCO keypoint files (any skeleton with named joints) as samples, with 3D guesses keyed by annotation id."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, body_centre
from anchorpose.core.skeleton import BLAZEPOSE33, LCR13, Skeleton
from anchorpose.datasets.samples import UNKNOWN, Floats, Person, Sample
from anchorpose.io.files import read_json

HEAD_TOP_ABOVE_EARS = 0.6
"""Head top = mid-ears + this x (mid-ears - mid-shoulders): the cranium's height over the shoulder-ear distance."""
MIN_AGREEMENT = 0.8
_FULLY_LABELLED = 5


def read_coco(annotations: Path, images: Path, exhaustive: bool = True, lifted: Path | None = None) -> list[Sample]:
    """Samples of a COCO keypoint file.

    Annotations that `anchorpose synthesize` wrote also carry 3D: exact with joint states (see
    `anchorpose.synthesis.scenes`), or lifted (`joints3d` and completed `joints2d` beside the hand-made labels).

    Args:
        annotations: COCO JSON whose category names its keypoints.
        images: folder of the photographs.
        exhaustive: see `Sample`.
        lifted: npz of 3D guesses (see `read_lifted`); people below `MIN_AGREEMENT` stay 2D.

    Raises:
        InputError: the file is missing, is not JSON, or is not a COCO keypoint file.
    """
    data = _load(annotations)
    skeletons = {c["id"]: Skeleton(c["name"], tuple(c["keypoints"])) for c in data["categories"] if "keypoints" in c}
    guesses = {} if lifted is None else read_lifted(lifted)
    people: dict[int, list[Person]] = defaultdict(list)
    for annotation in data["annotations"]:
        skeleton = skeletons.get(annotation["category_id"])
        if skeleton is not None and min(annotation["bbox"][2:]) > 0:
            people[annotation["image_id"]].append(_person(annotation, skeleton, guesses.get(annotation["id"])))
    return [Sample(images / i["file_name"], tuple(people[i["id"]]), exhaustive) for i in data["images"]]


def read_lifted(path: Path) -> dict[int, tuple[Floats, Floats]]:
    """3D guesses in BlazePose's joints: {annotation id: (joints2d (13, 2) pixels, joints3d (13, 3) metres)}.

    The npz holds `annotation_id (n,)`, `xy (n, 33, 2)`, `xyz (n, 33, 3)` (x right, y down, z away from the camera)
    and `agreement (n,)`, the share of hand-labelled joints that the guess meets; only those of at least
    `MIN_AGREEMENT` are returned, centred on the body centre.
    """
    with np.load(path) as data:
        good = data["agreement"].astype(np.float32) >= MIN_AGREEMENT
        ids, xy, xyz = (data[name][good] for name in ("annotation_id", "xy", "xyz"))
    joints2d, joints3d = (blazepose_to_lcr13(a.astype(np.float32)) for a in (xy, xyz))
    joints3d = joints3d - body_centre(joints3d)[:, None]
    return {int(i): (a, b.astype(np.float32)) for i, a, b in zip(ids, joints2d, joints3d, strict=True)}


def blazepose_to_lcr13(joints: Floats) -> Floats:
    """(..., 33, d) -> (..., 13, d); the head top is extrapolated from the ears and shoulders."""
    source = BLAZEPOSE33.map_to(LCR13)
    out = joints[..., source, :].copy()
    ears = joints[..., BLAZEPOSE33.indices("left_ear", "right_ear"), :].mean(-2)
    shoulders = joints[..., BLAZEPOSE33.indices("left_shoulder", "right_shoulder"), :].mean(-2)
    out[..., LCR13.index("head_top"), :] = ears + HEAD_TOP_ABOVE_EARS * (ears - shoulders)
    return out


def mirrored(person: Person, width: float) -> Person:
    """The person in the mirrored picture: sides swap, x is mirrored in 2D and negated in 3D."""
    flip = LCR13.flip
    x1, y1, x2, y2 = person.box
    joints2d, joints3d = person.joints2d[flip].copy(), person.joints3d[flip].copy()
    joints2d[:, 0] = width - joints2d[:, 0]
    joints3d[:, 0] *= -1
    centre3d = (person.centre3d * [-1, 1, 1]).astype(np.float32)
    box = np.array([width - x2, y1, width - x1, y2], dtype=np.float32)
    return replace(person, box=box, joints2d=joints2d, joints3d=joints3d, centre3d=centre3d,
                   visible=person.visible[flip])  # fmt: skip


def _person(annotation: dict[str, Any], skeleton: Skeleton, guess: tuple[Floats, Floats] | None) -> Person:
    person = Person(box=boxes.from_xywh(annotation["bbox"]))
    if "joint_state" in annotation:  # synthesised: everything is known
        return replace(person, joints2d=lcr13_rows(annotation, "joints2d", 2),
                       joints3d=lcr13_rows(annotation, "joints3d", 3), centre3d=_centre3d(annotation),
                       visible=_known_states(annotation["joint_state"]))  # fmt: skip
    if guess is None and "joints3d" in annotation:  # lifted
        guess = lcr13_rows(annotation, "joints2d", 2), lcr13_rows(annotation, "joints3d", 3)
    keypoints = np.array(annotation.get("keypoints", []), dtype=np.float32).reshape(-1, 3)
    if annotation.get("num_keypoints", 0) == 0 or annotation.get("iscrowd") or len(keypoints) != len(skeleton):
        return person
    keypoints = np.concatenate([keypoints, np.zeros((1, 3), np.float32)])[skeleton.map_to(LCR13)]
    labelled = keypoints[:, 2] > 0
    joints2d = np.where(labelled[:, None], keypoints[:, :2], np.nan).astype(np.float32)
    visible = _visibility(keypoints[:, 2], known=skeleton.map_to(LCR13) >= 0)
    if guess is None:
        return replace(person, joints2d=joints2d, visible=visible)
    joints2d = np.where(labelled[:, None], joints2d, guess[0])
    return replace(person, joints2d=joints2d, visible=visible, joints3d=guess[1])


def lcr13_rows(annotation: dict[str, Any], name: str, width: int) -> Floats:
    """(13, width) of one field of a synthesised annotation, a list in which unknown rows are null.

    Raises:
        InputError: it is absent or not a list of 13 rows of `width`.
    """
    rows = annotation.get(name) or []
    if len(rows) != len(LCR13) or any(r is not None and len(r) != width for r in rows):
        raise InputError(f"annotation {annotation.get('id')} has {name} that are not {len(LCR13)} x {width} numbers; "
                         "write the file anew with anchorpose synthesize")  # fmt: skip
    return np.array([[np.nan] * width if r is None else r for r in rows], dtype=np.float32)


def _centre3d(annotation: dict[str, Any]) -> Floats:
    """(3,) the `translation` of a synthesised annotation; NaN where it is null or absent.

    Raises:
        InputError: it is something else than three numbers.
    """
    place = annotation.get("translation")
    if place is None:
        return np.full(3, np.nan, np.float32)
    if len(place) != 3:
        raise InputError(f"annotation {annotation.get('id')} has a translation of {len(place)} numbers, wanted x, y "
                         "and z in metres, or null; write the file anew with anchorpose synthesize")  # fmt: skip
    return np.array(place, np.float32)


def _known_states(names: list[str]) -> NDArray[np.int8]:
    """Joint states as `Person.visible`; hidden and outside both mean that the joint cannot be seen."""
    known = {JointState.VISIBLE: 1, JointState.HIDDEN: 0, JointState.OUTSIDE: 0, JointState.MISSING: UNKNOWN}
    return np.array([known[JointState[name.upper()]] for name in names], dtype=np.int8)


def _visibility(flags: Floats, known: NDArray[np.bool_]) -> NDArray[np.int8]:
    """COCO's v: 2 is visible, 1 hidden; 0 means not visible where the annotator labelled most of the person."""
    unlabelled = 0 if (flags > 0).sum() >= _FULLY_LABELLED else UNKNOWN
    visible = np.select([flags >= 2, flags >= 1], [1, 0], unlabelled)
    return np.where(known, visible, UNKNOWN).astype(np.int8)


def _load(path: Path) -> dict[str, Any]:
    data = read_json(Path(path), "give a COCO keypoint file")
    if not isinstance(data, dict) or not {"images", "annotations", "categories"} <= set(data):
        raise InputError(f"{path} lacks images, annotations or categories; give a COCO keypoint file")
    return data
