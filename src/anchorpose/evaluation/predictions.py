"""Predictions from files, by any system: ours, COCO's results and PoseTrack's JSON, matched to the images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState, Poses
from anchorpose.core.skeleton import COCO17, LCR13, POSETRACK17, Skeleton
from anchorpose.evaluation.annotations import ImageEntry
from anchorpose.evaluation.tracked import RESULTS, name_parts, read_tracked, same_end
from anchorpose.io.files import read_json
from anchorpose.io.formats import SCHEMA, from_anchorpose

Kind = Literal["anchorpose", "tracks", "coco-results", "posetrack"]
_LARGEST = 1e6
"""Pixels; what lies farther out is no prediction but a broken file."""
_ADVICE = "give a poses.json or results.jsonl of anchorpose, COCO results or PoseTrack's JSON"


@dataclass(frozen=True)
class Predictions:
    """What a file says of the images that were asked for.

    Args:
        people: image file name -> its people.
        kind: the format of the file.
        absent: names of the images that the file does not have; nobody was found there.
    """

    people: Mapping[str, Poses]
    kind: Kind
    absent: tuple[str, ...] = ()


def read_predictions(
    path: Path,
    images: Sequence[ImageEntry],
    skeleton: Skeleton,
    missing: Literal["error", "nobody"] = "error",
    root: Path = Path(),
) -> Predictions:
    """Read predictions and find those of each image; those of other images do not matter.

    - Our poses.json (`anchorpose detect`): by file name. The names need not be written from the same folder: of
      `a/b.jpg` and `photos/a/b.jpg` the shorter is the end of the longer, and that must fit one image only.
    - results.jsonl of `anchorpose track`, or a folder with some: by folder and frame, see `tracked.read_tracked`.
    - COCO's results, a list of `{image_id, keypoints, score}`: by id. The joints are `skeleton`'s if the numbers fit,
      else COCO's 17. The third number of a keypoint is taken as the joint's score; only 0, 0, 0 is missing, since
      COCO's toolkit looks at no other flag. A joint that is missing throughout is one that the system does not have.
      An image without entries is one in which nobody was found, because the format cannot say so otherwise.
    - PoseTrack's JSON, for one sequence or a folder of them: by id. `scores` are the joints' scores, `track_id` the
      identity, the person's score is `score` or else the mean of the joints'.

    Args:
        path: the file, or the folder of PoseTrack's files or of results.jsonl in folders of their own.
        images: annotated images.
        skeleton: of the annotations.
        missing: whether an image that the file lacks is an error, or one in which nobody was found.
        root: folder above the images, whose pictures only results.jsonl needs.

    Raises:
        InputError: a file is of another format or broken, two entries are of the same image, or images are missing.
    """
    if tracks := [path] if path.suffix == ".jsonl" else sorted(path.rglob(RESULTS)) if path.is_dir() else []:
        return _complete(read_tracked(tracks, images, root), images, "tracks", missing, path)
    if path.is_dir():
        return _complete(_posetrack(sorted(path.glob("*.json")), path, images), images, "posetrack", missing, path)
    data = read_json(path, _ADVICE)
    if isinstance(data, list):
        found = _complete(_coco_results(path, data, images, skeleton), images, "coco-results", "nobody", path)
        return found if data else replace(found, absent=tuple(image.file_name for image in images))
    if isinstance(data, dict) and data.get("schema") == SCHEMA:
        try:
            results = from_anchorpose(data)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return _complete(_by_name(results, images, path), images, "anchorpose", missing, path)
    if isinstance(data, dict) and isinstance(data.get("images"), list) and isinstance(data.get("annotations"), list):
        return _complete(_posetrack([path], path, images), images, "posetrack", missing, path)
    raise InputError(f"{path} holds no predictions that are known, wanted poses of anchorpose, a list of COCO results "
                     f"or PoseTrack's images and annotations; {_ADVICE}")  # fmt: skip


def _complete(found: Mapping[str, Poses], images: Sequence[ImageEntry], kind: Kind,
              missing: Literal["error", "nobody"], path: Path) -> Predictions:  # fmt: skip
    absent = tuple(image.file_name for image in images if image.file_name not in found)
    if absent and (missing == "error" or not found):
        raise InputError(f"{path} has no predictions for {len(absent)} of {len(images)} annotated images, the first is "
                         f"{absent[0]}; run the detector on all of them, or count them as images without people with "
                         "--missing nobody")  # fmt: skip
    # Nobody in the joints of the others, or images without people would change which joints are measured.
    skeleton = next((poses.skeleton for poses in found.values() if len(poses)), LCR13)
    people = {}
    for image in images:
        own = found.get(image.file_name)
        nobody = Poses.empty(_camera(image) if own is None else own.camera, skeleton)
        people[image.file_name] = nobody if own is None or not len(own) else own
    return Predictions(people, kind, absent)


def _by_name(results: Iterable[tuple[str, Poses]], images: Sequence[ImageEntry], path: Path) -> dict[str, Poses]:
    """Each image's people: the entry of the same name, else the one whose name ends in the image's or the reverse."""
    by_stem: dict[str, list[tuple[tuple[str, ...], Poses]]] = {}
    for name, poses in results:
        parts = name_parts(name)
        by_stem.setdefault(parts[-1] if parts else "", []).append((parts, poses))
    found: dict[str, Poses] = {}
    taken: dict[tuple[str, ...], str] = {}
    for image in images:
        wanted = name_parts(image.file_name)
        candidates = [(p, poses) for p, poses in by_stem.get(wanted[-1] if wanted else "", []) if same_end(p, wanted)]
        candidates = [c for c in candidates if c[0] == wanted] or candidates
        if len(candidates) > 1:
            raise InputError(f"{path} has {len(candidates)} entries that may be {image.file_name}, such as "
                             f"{'/'.join(candidates[0][0])}, wanted one; detect in one folder at a time")  # fmt: skip
        for parts, poses in candidates:
            if parts in taken:
                raise InputError(f"{path} has {'/'.join(parts)}, which may be {taken[parts]} or {image.file_name}, "
                                 "wanted one of them; give longer names, from the data set's folder")  # fmt: skip
            taken[parts], found[image.file_name] = image.file_name, poses
    return found


def _coco_results(path: Path, entries: list[Any], images: Sequence[ImageEntry], own: Skeleton) -> dict[str, Poses]:
    people: dict[int, list[dict[str, Any]]] = {}
    try:
        counts = {len(entry["keypoints"]) for entry in entries}
        for entry in entries:
            people.setdefault(int(entry["image_id"]), []).append(entry)
        skeleton = own if counts <= {3 * len(own)} else COCO17
        ids = {image.id for image in images}
        if people and not ids & set(people):
            raise InputError(f"{path} has people of {len(people)} images, such as {next(iter(people))}, none of which "
                             "is annotated; give results with the annotations' ids, or a poses.json, which names its "
                             "files")  # fmt: skip
        found = {i.file_name: _poses(people[i.id], i, skeleton) for i in images if i.id in people}
        return _without_lacking(found) or {i.file_name: Poses.empty(_camera(i), skeleton) for i in images}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _broken(path, error, "COCO results") from None


def _without_lacking(found: Mapping[str, Poses]) -> dict[str, Poses]:
    """The same in the joints that somebody has at least once."""
    there = np.any([np.isfinite(p.joints2d).all(axis=-1).any(axis=0) for p in found.values()], axis=0)
    if not found or there.all() or not there.any():
        return dict(found)
    full = next(iter(found.values())).skeleton
    own = Skeleton("predictions", tuple(joint for joint, has in zip(full.joints, there, strict=True) if has))
    return {name: poses.to_skeleton(own) for name, poses in found.items()}


def _posetrack(paths: Sequence[Path], given: Path, images: Sequence[ImageEntry]) -> dict[str, Poses]:
    if not paths:
        raise InputError(f"{given} holds no JSON files, wanted PoseTrack's, one for each sequence; {_ADVICE}")
    by_id = {image.id: image for image in images}
    found: dict[str, Poses] = {}
    for path in paths:
        data = read_json(path, _ADVICE)
        try:
            skeleton = _listed_joints(data.get("categories") or [])
            people: dict[int, list[dict[str, Any]]] = {int(image["id"]): [] for image in data["images"]}
            for entry in data["annotations"]:
                if entry.get("keypoints"):
                    people[int(entry["image_id"])].append(entry)
            for id, group in people.items():
                if (image := by_id.get(id)) is None:
                    continue
                if image.file_name in found:
                    raise InputError(f"{path} has image {id}, which another file has too, wanted each once; give one "
                                     "file for each sequence")  # fmt: skip
                found[image.file_name] = _poses(group, image, skeleton)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise _broken(path, error, "PoseTrack's predictions") from None
    return found


def _listed_joints(categories: Sequence[Mapping[str, Any]]) -> Skeleton:
    names = next((tuple(str(n) for n in c["keypoints"]) for c in categories if c.get("keypoints")), POSETRACK17.joints)
    return POSETRACK17 if names == POSETRACK17.joints else Skeleton("predictions", names)


def _poses(entries: Sequence[Mapping[str, Any]], image: ImageEntry, skeleton: Skeleton) -> Poses:
    """Entries with `keypoints`, and as far as given `score`, `scores`, `bbox` and `track_id`; best score first."""
    n, j = len(entries), len(skeleton)
    flat = np.array([entry["keypoints"] for entry in entries], dtype=np.float64).reshape(n, j, 3)
    if not (np.abs(flat) <= _LARGEST).all():
        raise ValueError("a keypoint is not finite, or beyond a million pixels")
    present = (flat != 0).any(axis=-1)
    joints2d = np.where(present[..., None], flat[..., :2], np.nan).astype(np.float32)
    rows = [_joint_scores(e, flat[i, :, 2]) for i, e in enumerate(entries)]
    joint_scores = np.array(rows, np.float64).reshape(n, j)
    scores = np.array([_score(e, joint_scores[i][present[i]]) for i, e in enumerate(entries)], dtype=np.float64)
    if not (np.isfinite(scores).all() and np.isfinite(joint_scores).all()):
        raise ValueError("a score is not a finite number")
    ids = [entry.get("track_id") for entry in entries]
    states = np.where(present, JointState.VISIBLE, JointState.MISSING).astype(np.uint8)
    poses = Poses(
        skeleton, _camera(image), scores.astype(np.float32), boxes.around(joints2d).astype(np.float32), joints2d,
        np.full((n, j, 3), np.nan, np.float32), np.full((n, 3), np.nan, np.float32), joint_scores.astype(np.float32),
        states, track_ids=None if None in ids else np.array(ids, dtype=np.int64).reshape(n),
    )  # fmt: skip
    return poses[np.argsort(-scores, kind="stable")]


def _joint_scores(entry: Mapping[str, Any], thirds: NDArray[np.float64]) -> NDArray[np.float64]:
    """`scores` where PoseTrack's files have them, else the third numbers of the keypoints."""
    given = entry.get("scores") or []
    if len(given) not in (0, len(thirds)):
        raise ValueError(f"{len(given)} scores for {len(thirds)} joints")
    return np.asarray(given, dtype=np.float64) if len(given) else thirds


def _score(entry: Mapping[str, Any], of_joints: NDArray[np.float64]) -> float:
    if entry.get("score") is not None:
        return float(entry["score"])
    if "scores" not in entry and "track_id" not in entry:
        raise KeyError("score")
    return float(of_joints.mean()) if len(of_joints) else 0.0


def _camera(image: ImageEntry) -> Camera:
    return Camera.from_fov(max(image.width, 1), max(image.height, 1))  # 0 where the annotations do not say


def _broken(path: Path, error: Exception, wanted: str) -> InputError:
    if isinstance(error, InputError):
        return error
    reason = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())[:100]
    return InputError(f"{path} is broken as {wanted} ({reason}); write the file anew")
