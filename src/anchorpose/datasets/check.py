"""What is wrong with keypoint annotations: users' own COCO-style files, before hours are spent training on them.

What is expected is what `datasets.coco.read_coco` reads: COCO keypoint JSON of any named joints, with the 3D that
`anchorpose synthesize` writes beside them or without.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core import skeleton as skeletons
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import LCR13, Skeleton, mirror_name
from anchorpose.datasets.sides import knees_bend_backward, sides_swapped
from anchorpose.evaluation.keypoints import Truth, oks
from anchorpose.lcrnet.placement import reprojection_error

Array = NDArray[np.float64]

KINDS = {
    "missing_image": "images whose picture is not in the folder",
    "repeated_id": "images or annotations whose id was there before; give each its own",
    "broken": "annotations without an id, image, category, box or the right number of keypoints; nothing reads them",
    "not_finite": "annotations with NaN, null or a number beyond a million; unknown joints have 0, 0, 0",
    "zero_box": "annotations whose box has no width or height; training leaves them out",
    "outside": "annotations with labelled joints outside the picture; v = 0 says that a joint is not there",
    "swapped_sides": "annotations whose left and right contradict each other; look at them",
    "duplicate_person": "annotations of somebody who is annotated already in the same picture",
    "projection": "annotations whose 3D joints do not project onto their 2D joints",
    "unknown_joint": "joint names that no known skeleton has; training leaves these joints out",
    "no_mirror": "joint names with a side and without a partner; flips cannot swap them",
    "duplicate_name": "images whose file name stands in another file (or twice in one)",
    "duplicate_content": "images whose picture is, byte for byte, that of another entry",
}
"""Name of each kind of problem -> what it means and what to do."""
LARGEST = 1e6
"""Pixels and metres beyond this are mistakes."""
_BREAKING = ("repeated_id", "broken", "not_finite", "zero_box", "missing_image")
SAME_PERSON = 0.9
"""Least OKS, both ways round, of two annotations of one person; without joints the least overlap of the boxes."""
PLACED_ERROR, ORTHOGRAPHIC_ERROR = 0.02, 0.15
"""Greatest RMS distance of the projected joints, as share of the pose's diagonal: with camera and translation, and by
scaled orthography, which misses motion capture seen from 1.5 m by up to 0.150, from 3 m by up to 0.102 (from there, a
mirrored pose by more than 0.15 in 8 cases of 10)."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: a name of `KINDS`, the file, and the image's, annotation's or joint's name in it."""

    kind: str
    file: Path
    what: str
    id: int | str | None


@dataclass(frozen=True)
class Report:
    """What `check` found, in the order of `KINDS`."""

    files: tuple[Path, ...]
    images: int
    annotations: int
    problems: tuple[Problem, ...]

    def of(self, kind: str) -> list[Problem]:
        """The problems of one kind."""
        return [problem for problem in self.problems if problem.kind == kind]

    def lines(self, examples: int = 5) -> list[str]:
        """For people: how many of each kind there are, with the first few."""
        head = f"{self.images} images, {self.annotations} annotations in {len(self.files)} file(s)"
        result = [f"{head}: {'nothing wrong was found' if not self.problems else f'{len(self.problems)} problems'}"]
        for kind, meaning in KINDS.items():
            if found := self.of(kind):
                named = ", ".join(self._named(problem) for problem in found[:examples])
                more = ", ..." if len(found) > examples else ""
                result += [f"{kind}: {len(found)} {meaning}", f"  {named}{more}"]
        return result

    def to_dict(self, examples: int = 5) -> dict[str, Any]:
        """For programs: plain values, all kinds with their counts."""
        counts = {kind: {"count": len(found := self.of(kind)), "meaning": meaning,
                         "examples": [{"file": str(p.file), "what": p.what, "id": p.id} for p in found[:examples]]}
                  for kind, meaning in KINDS.items()}  # fmt: skip
        return {"files": [str(f) for f in self.files], "images": self.images, "annotations": self.annotations,
                "problems": counts}  # fmt: skip

    def _named(self, problem: Problem) -> str:
        where = f" of {problem.file}" if len(self.files) > 1 else ""
        return f"{problem.what} {problem.id}{where}"


def check(files: Sequence[Path], folders: Sequence[Path | None]) -> Report:
    """Look for everything in `KINDS`; several files are the splits of one data set.

    Args:
        files: COCO keypoint JSON.
        folders: that of the pictures of each file; None leaves the pictures out.

    Raises:
        InputError: a file cannot be read or is no COCO keypoint file, or a folder does not exist.
    """
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise InputError(f"{folder} is not a folder, wanted that of the pictures; give it with --images")
    data = [load_coco(path) for path in files]
    problems = [problem for path, one, folder in zip(files, data, folders, strict=True)
                for problem in _of_file(path, one, folder)]  # fmt: skip
    problems += _duplicate_images(files, data, folders)
    order = {kind: k for k, kind in enumerate(KINDS)}
    problems.sort(key=lambda problem: order[problem.kind])
    images, annotations = (sum(len(one[name]) for one in data) for name in ("images", "annotations"))
    return Report(tuple(files), images, annotations, tuple(problems))


def sound(path: Path, report: Report) -> dict[str, Any]:
    """The file's data without the images and annotations that cannot be drawn."""
    data = load_coco(path)
    bad = {(p.what, p.id) for p in report.problems if p.kind in _BREAKING and p.file == path}
    images = [i for i in data["images"] if ("image", i["id"]) not in bad]
    ids = {i["id"] for i in images}
    people = [a for a in data["annotations"] if isinstance(a, dict) and ("annotation", _id(a)) not in bad
              and a["image_id"] in ids]  # fmt: skip
    return data | {"images": images, "annotations": people}


def load_coco(path: Path) -> dict[str, Any]:
    """A COCO keypoint file as it is.

    Raises:
        InputError: it cannot be read, or images or categories lack what makes them usable.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the annotations {path}: {error.strerror}; give a COCO keypoint file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({' '.join(str(error).split())[:100]}); give a COCO keypoint "
                         "file") from None  # fmt: skip
    names = ("images", "annotations", "categories")
    if not isinstance(data, dict) or not all(isinstance(data.get(name), list) for name in names):
        raise InputError(f"{path} lacks a list of images, annotations or categories; give a COCO keypoint file")
    for name, keys in (("images", ("id", "file_name")), ("categories", ("id", "name"))):
        if not all(isinstance(entry, dict) and all(key in entry for key in keys) for entry in data[name]):
            raise InputError(f"{path} has {name} without {' or '.join(keys)}; give a COCO keypoint file")
    for name in ("images", "categories"):
        if not all(isinstance(entry["id"], int | str) for entry in data[name]):
            raise InputError(f"{path} has {name} whose id is neither a number nor a text; give each its own")
    sizes = [image.get(side) for image in data["images"] for side in ("width", "height")]
    if not all(size is None or isinstance(size, int | float) for size in sizes):
        raise InputError(f"{path} has images whose width or height is no number; give the size in pixels")
    if not all(isinstance(image["file_name"], str) for image in data["images"]):
        raise InputError(f"{path} has images whose file_name is no text; give the picture's name in the folder")
    for category in data["categories"]:
        joints = category.get("keypoints", [])
        if not isinstance(joints, list) or not all(isinstance(joint, str) for joint in joints):
            raise InputError(f"{path} has a category whose keypoints are no list of names; give the joints' names")
        if twice := _repeats(joints):
            raise InputError(f"{path} has the joint {twice[0][1]} twice in a category, wanted it once; rename one")
    if not any(category.get("keypoints") for category in data["categories"]):
        raise InputError(f"{path} has no category with keypoints; give a COCO keypoint file")
    return data


def _of_file(path: Path, data: dict[str, Any], folder: Path | None) -> Iterator[Problem]:
    known = {joint for s in vars(skeletons).values() if isinstance(s, Skeleton) for joint in s.joints}
    named: dict[Any, Skeleton] = {}
    for category in data["categories"]:
        joints = category.get("keypoints", [])
        yield from (Problem("unknown_joint", path, "joint", j) for j in joints if j not in known)
        yield from (Problem("no_mirror", path, "joint", j) for j in joints if mirror_name(j) not in joints)
        yield from (
            Problem("repeated_id", path, "joint", j) for j in sorted({j for j in joints if joints.count(j) > 1})
        )
        if joints and len(set(joints)) == len(joints):
            named[category["id"]] = Skeleton("annotations", tuple(joints))
    for kind, entries in (("image", data["images"]), ("annotation", data["annotations"])):
        ids = [_id(entry) for entry in entries]
        yield from (Problem("repeated_id", path, kind, i) for _, i in _repeats(ids) if i is not None)
    images = {image["id"]: image for image in data["images"]}
    if folder is not None:
        yield from (Problem("missing_image", path, "image", i["id"]) for i in data["images"]
                    if not (folder / i["file_name"]).is_file())  # fmt: skip
    people: dict[Any, list[_Person]] = defaultdict(list)
    for annotation in data["annotations"]:
        id = _id(annotation)
        found: list[str] | _Person = _parsed(annotation, images, named)
        if isinstance(found, _Person):
            people[annotation["image_id"]].append(found)
            found = list(_of_person(found, images[annotation["image_id"]]))
        yield from (Problem(kind, path, "annotation", id) for kind in found)
    for group in people.values():
        yield from (Problem("duplicate_person", path, "annotation", id) for id in _duplicates(group))


def _id(entry: Any) -> int | str | None:
    id = entry.get("id") if isinstance(entry, dict) else None
    return id if isinstance(id, int | str) else None


def _repeats(values: Iterable[Any]) -> list[tuple[int, Any]]:
    """(position, value) of those that stood before."""
    seen: set[str] = set()
    result = []
    for k, value in enumerate(values):
        if (key := repr(value)) in seen:
            result.append((k, value))
        seen.add(key)
    return result


@dataclass(frozen=True)
class _Person:
    """An annotation whose numbers can be used; `joints3d` and what belongs to it in LCR13's joints."""

    id: int | str | None
    skeleton: Skeleton
    joints: Array  # (J, 2) pixels, NaN where not labelled
    box: Array  # (4,) x1, y1, x2, y2
    area: float
    crowd: bool
    full2d: Array  # (13, 2) pixels, also of joints outside the picture
    joints3d: Array  # (13, 3) metres
    translation: Array  # (3,) metres


def _parsed(annotation: Any, images: dict[Any, Any], named: dict[Any, Skeleton]) -> list[str] | _Person:
    """The person, or the kinds of problems that prevent it from being read."""
    try:
        skeleton = named[annotation["category_id"]]
        if annotation["image_id"] not in images or _id(annotation) is None:
            return ["broken"]
        box, flat = _numbers(annotation["bbox"]).reshape(4), _numbers(annotation.get("keypoints", []))
        keypoints = (flat if len(flat) else np.zeros(3 * len(skeleton))).reshape(len(skeleton), 3)
        area = _numbers([annotation.get("area", 0)])
        states = [JointState[state.upper()] for state in annotation.get("joint_state", ["visible"] * len(LCR13))]
        rows = [_rows(annotation.get(name), width) for name, width in (("joints2d", 2), ("joints3d", 3))]
        translation = _rows([annotation.get("translation")], 3, 1)[0]
        needed = np.array(states).reshape(len(LCR13)) != JointState.MISSING
    except (AttributeError, KeyError, TypeError, ValueError):
        return ["broken"]
    # A list of nothing but null says that all is unknown, which is allowed.
    gaps = [np.isnan(r[needed]).any() for r in rows if not np.isnan(r).all()]
    known = [values[~np.isnan(values)] for values in (*rows, translation)]
    # NaN compares as False.
    if any(gaps) or not (np.abs(np.concatenate([box, flat, area, *known])) <= LARGEST).all():
        return ["not_finite"]
    if box[2] <= 0 or box[3] <= 0:
        return ["zero_box"]
    labelled = keypoints[:, 2] > 0
    joints = np.where(labelled[:, None], keypoints[:, :2], np.nan)
    own = np.concatenate([joints, np.full((1, 2), np.nan)])[skeleton.map_to(LCR13)]
    corners = np.concatenate([box[:2], box[:2] + box[2:]])
    return _Person(_id(annotation), skeleton, joints, corners, float(area[0]) or box[2] * box[3],
                   bool(annotation.get("iscrowd")), np.where(np.isnan(rows[0]), own, rows[0]), rows[1],
                   translation)  # fmt: skip


def _numbers(values: Any) -> Array:
    """Flat numbers; null becomes NaN."""
    if not isinstance(values, list):
        raise TypeError("no list of numbers")
    numbers = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    if numbers.ndim != 1:
        raise ValueError("lists in a list of numbers")
    return numbers


def _rows(values: Any, width: int, count: int = len(LCR13)) -> Array:
    """(count, width) of a list whose unknown rows are null; all NaN where there is no list."""
    rows = [[math.nan] * width if row is None else _numbers(row) for row in values or [None] * count]
    return np.array(rows, dtype=np.float64).reshape(count, width)


def _of_person(person: _Person, image: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one person by itself."""
    size = np.array([image.get("width") or math.inf, image.get("height") or math.inf], dtype=np.float64)
    with np.errstate(invalid="ignore"):
        if ((person.joints < 0) | (person.joints > size)).any():
            yield "outside"
    if sides_swapped(person.joints, person.skeleton) or knees_bend_backward(person.joints3d):
        yield "swapped_sides"
    if _misses_projection(person, image.get("camera")):
        yield "projection"


def _misses_projection(person: _Person, camera: Any) -> bool:
    known = np.isfinite(person.full2d).all(-1) & np.isfinite(person.joints3d).all(-1)
    if known.sum() < 4:  # fewer can be met by a wrong pose
        return False
    flat, space = person.full2d[known], person.joints3d[known]
    diagonal = float(np.linalg.norm(np.ptp(flat, axis=0)))
    if camera is not None and np.isfinite(person.translation).all():
        try:
            error = reprojection_error(flat[None], space[None], person.translation[None], Camera.from_dict(camera))[0]
        except TypeError:
            return True
        return not error <= PLACED_ERROR * diagonal
    centred2d, centred3d = flat - flat.mean(0), space[:, :2] - space[:, :2].mean(0)
    scale = max(float((centred2d * centred3d).sum() / max((centred3d**2).sum(), 1e-12)), 0.0)
    error = math.sqrt(((scale * centred3d - centred2d) ** 2).sum(-1).mean())
    return not error <= ORTHOGRAPHIC_ERROR * diagonal


def _duplicates(people: list[_Person]) -> list[Any]:
    """Ids of those who resemble somebody before them in the same picture."""
    result = []
    for size in sorted({len(p.skeleton) for p in people}):
        group = [p for p in people if len(p.skeleton) == size and not p.crowd]
        visible = np.array([np.isfinite(p.joints).all(-1) for p in group]).reshape(len(group), size)
        joints = np.array([p.joints for p in group]).reshape(len(group), size, 2)
        bounds, areas = np.array([p.box for p in group]).reshape(-1, 4), np.array([p.area for p in group])
        nobody = np.zeros(len(group), dtype=np.bool_)
        truth = Truth(joints, visible, bounds, areas, nobody, nobody)
        similarity = oks(joints, truth, group[0].skeleton.sigmas) if group else np.zeros((0, 0))
        labelled: NDArray[np.bool_] = np.any(visible, axis=1, keepdims=True)
        alike = np.where(labelled & labelled.T, np.minimum(similarity, similarity.T), 0.0)
        alike = np.where(labelled | labelled.T, alike, boxes.iou(bounds, bounds))
        later = (np.tril(alike, -1) >= SAME_PERSON).any(axis=1)
        result += [group[k].id for k in np.flatnonzero(later)]
    return result


def _duplicate_images(files: Sequence[Path], data: Sequence[dict[str, Any]],
                      folders: Sequence[Path | None]) -> list[Problem]:  # fmt: skip
    entries = [(path, image["id"], image["file_name"], folder)
               for path, one, folder in zip(files, data, folders, strict=True) for image in one["images"]]  # fmt: skip
    names = [Problem("duplicate_name", *_entry(entries[k])) for k, _ in _repeats(Path(e[2]).name for e in entries)]
    paths = [(entry, entry[3] / entry[2]) for entry in entries if entry[3] is not None]
    by_size: dict[int, list[Any]] = defaultdict(list)
    for entry, path in paths:
        if path.is_file():
            by_size[path.stat().st_size].append((entry, path))
    same = []
    for group in by_size.values():
        if len(group) > 1:  # pictures of different sizes need not be read
            hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for _, path in group]
            same += [Problem("duplicate_content", *_entry(group[k][0])) for k, _ in _repeats(hashes)]
    return names + same


def _entry(entry: tuple[Path, Any, str, Path | None]) -> tuple[Path, str, Any]:
    return entry[0], "image", entry[1]
