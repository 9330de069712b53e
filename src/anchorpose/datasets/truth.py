"""Samples as what the evaluation measures against (`evaluation` imports no data set)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core import boxes
from anchorpose.core.errors import InputError
from anchorpose.core.poses import JointState
from anchorpose.core.skeleton import Skeleton
from anchorpose.datasets.samples import Annotation, Person, Sample
from anchorpose.evaluation.annotations import Annotations, ImageEntry
from anchorpose.evaluation.crowdpose import AREA_SHARE
from anchorpose.evaluation.keypoints import Truth
from anchorpose.evaluation.pck import head_size
from anchorpose.evaluation.truth import UNTRACKED, Benchmark


def benchmark_of(samples: Sequence[Sample], root: Path) -> Benchmark:
    """A data set's samples in its own joints, by rising image id.

    Names of pictures are relative to `root`, with forward slashes, and their sizes are unknown (0). Who is in the
    samples without joints is ignored; who has no annotation at all (an ignore region's box) is left out, since
    `ignore_regions` says so. Joint states are those that the data set tells. A person's area is the annotated one,
    else `crowdpose.AREA_SHARE` of the box.

    Args:
        samples: of one of the readers that keep `Person.annotation`. Those without `id` are numbered from 0.
        root: folder above all pictures.

    Raises:
        InputError: there are no samples, two have the same picture or id, they have no annotations or those of
            several skeletons, or a picture is not below `root`.
    """
    if not samples:
        raise InputError(f"found no annotated picture in {root}, wanted at least one; give the original archive")
    numbered = sorted(((i if s.id is None else s.id, s) for i, s in enumerate(samples)), key=lambda pair: pair[0])
    ids, ordered = [id for id, _ in numbered], [sample for _, sample in numbered]
    names = [_name(sample.image, root) for sample in ordered]
    for values, what in ((ids, "ids"), (names, "pictures")):
        if len(set(values)) < len(values):
            raise InputError(f"{root} has {len(values)} samples of {len(set(values))} {what}, wanted each once; read "
                             "it once")  # fmt: skip
    people = [[(p, p.annotation) for p in s.people if p.annotation is not None] for s in ordered]
    skeleton = _skeleton([a for group in people for _, a in group], root)
    entries = tuple(ImageEntry(id, name, 0, 0) for id, name in zip(ids, names, strict=True))
    truths = tuple(_truth(group, skeleton) for group in people)
    return Benchmark(
        Annotations(skeleton, entries, truths),
        tuple(np.array([_head(a) for _, a in group]) for group in people),
        tuple(np.array([bool(a.separated) for _, a in group], dtype=np.bool_) for group in people),
        tuple(np.array([UNTRACKED if a.track_id is None else a.track_id for _, a in group], np.int64)
              for group in people),
        tuple(s.sequence or "" for s in ordered),
        np.array([0 if s.frame is None else s.frame for s in ordered], np.int64),
        np.array([np.nan if s.crowd_index is None else s.crowd_index for s in ordered], np.float64),
        tuple(s.ignore_regions for s in ordered),
    )  # fmt: skip


def _name(image: Path, root: Path) -> str:
    try:
        return image.relative_to(root).as_posix()
    except ValueError:
        raise InputError(f"{image} is not in {root}, wanted all pictures below one folder; give that folder") from None


def _skeleton(annotations: Sequence[Annotation], root: Path) -> Skeleton:
    kinds = {a.skeleton for a in annotations}
    if len(kinds) != 1:
        found = ", ".join(sorted(s.name for s in kinds)) or "no annotated person"
        raise InputError(f"{root} has {found}, wanted people in the joints of one data set; read one archive")
    return next(iter(kinds))


def _head(annotation: Annotation) -> float:
    return float("nan") if annotation.head_box is None else float(head_size(annotation.head_box))


def _area(person: Person, annotation: Annotation) -> float:
    return float(AREA_SHARE * boxes.area(person.box)) if annotation.area is None else annotation.area


def _truth(people: Sequence[tuple[Person, Annotation]], skeleton: Skeleton) -> Truth:
    m, j = len(people), len(skeleton)
    joints = np.array([a.joints2d for _, a in people], np.float64).reshape(m, j, 2)
    labelled: NDArray[np.bool_] = np.asarray(np.isfinite(joints).all(axis=-1), dtype=np.bool_)
    around = np.array([p.box for p, _ in people], np.float64).reshape(m, 4)
    areas = np.array([_area(p, a) for p, a in people], np.float64)
    nobody = np.zeros(m, dtype=np.bool_)
    visible = np.array([a.visible for _, a in people], np.int8).reshape(m, j)
    states = np.select([visible > 0, visible == 0], [JointState.VISIBLE, JointState.HIDDEN], JointState.MISSING)
    return Truth(np.where(labelled[..., None], joints, 0.0), labelled, around, areas, nobody,
                 np.logical_not(labelled.any(axis=1)),
                 states=np.where(labelled, states, JointState.MISSING).astype(np.uint8))  # fmt: skip
