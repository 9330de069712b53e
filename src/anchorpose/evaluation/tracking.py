"""CLEAR MOT (Bernardin & Stiefelhagen, 2008) of people and, as PoseTrack measures it, of single joints.

The matching and the counts are those of py-motmetrics, which PoseTrack's own toolkit (poseval) calls: whoever was
matched keeps the prediction for as long as the two are similar enough, and only the others are assigned anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from anchorpose.core.errors import InputError

Array = NDArray[np.floating]
Ids = NDArray[np.integer]

THRESHOLD = 0.5
"""Least similarity of a match: an overlap of 0.5, or 0.5 head sizes with `1 - distance / head size`."""


@dataclass(frozen=True)
class Frame:
    """Who is in one frame and who was found there.

    Args:
        truth_ids: (m,) identities of the annotated people, each at most once.
        ids: (n,) identities of the predictions, each at most once.
        similarity: (m, n) 0 to 1, such as box overlap or OKS; NaN where two cannot be matched.

    Raises:
        InputError: an identity stands twice, or the similarity has another shape.
    """

    truth_ids: Ids
    ids: Ids
    similarity: Array

    def __post_init__(self) -> None:
        _check_unique(self.truth_ids, "annotated")
        _check_unique(self.ids, "predicted")
        wanted = (len(self.truth_ids), len(self.ids))
        if self.similarity.shape != wanted:
            raise InputError(f"found a similarity of shape {self.similarity.shape}, wanted {wanted} (annotated people, "
                             "predictions); give one row a person")  # fmt: skip


@dataclass(frozen=True)
class Clear:
    """Counts of CLEAR MOT; add the counts of several sequences up before the figures are read."""

    matches: int = 0  # annotated people (of all frames) with a prediction, switches among them
    misses: int = 0
    false_positives: int = 0
    switches: int = 0  # matches to another prediction than that of the person's last match
    fragmentations: int = 0  # times that a person is missed between two matches; absence is no miss
    similarity: float = 0.0  # summed over the matches

    def __add__(self, other: Clear) -> Clear:
        return Clear(self.matches + other.matches, self.misses + other.misses,
                     self.false_positives + other.false_positives, self.switches + other.switches,
                     self.fragmentations + other.fragmentations, self.similarity + other.similarity)  # fmt: skip

    @property
    def people(self) -> int:
        """Annotated people, counted in every frame."""
        return self.matches + self.misses

    @property
    def mota(self) -> float:
        """1 - (misses + false positives + switches) / people; may be negative, NaN without people."""
        return 1 - _ratio(self.misses + self.false_positives + self.switches, self.people)

    @property
    def motp(self) -> float:
        """Mean similarity of the matches; NaN without matches."""
        return _ratio(self.similarity, self.matches)

    @property
    def precision(self) -> float:
        """Share of the predictions that are matched; NaN without predictions."""
        return _ratio(self.matches, self.matches + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the people that are matched; NaN without people."""
        return _ratio(self.matches, self.people)


def clear(frames: Iterable[Frame], threshold: float = THRESHOLD) -> Clear:
    """CLEAR MOT of one sequence; `sum(map(clear, sequences), Clear())` is that of several.

    In each frame, people first take the prediction of their last match, however long ago that was (where two people
    claim the same one, the first row gets it). The others are assigned so that as many as possible are matched and,
    of those assignments, the similarity is greatest.

    Args:
        frames: in the order of time.
        threshold: least similarity of a match.
    """
    last: dict[int, int] = {}
    missed: dict[int, bool] = {}
    result = Clear()
    for frame in frames:
        similarity = np.nan_to_num(frame.similarity.astype(np.float64), nan=-1.0)
        rows, columns = _correspondences(frame, np.where(similarity >= threshold, similarity, -1.0), last)
        switches = fragments = 0
        for person, prediction in zip(frame.truth_ids[rows].tolist(), frame.ids[columns].tolist(), strict=True):
            switches += last.get(person, prediction) != prediction
            fragments += missed.get(person, False)
            last[person], missed[person] = prediction, False
        for person in np.delete(frame.truth_ids, rows).tolist():
            missed[person] = person in last
        result += Clear(len(rows), len(frame.truth_ids) - len(rows), len(frame.ids) - len(rows), switches, fragments,
                        float(similarity[rows, columns].sum()))  # fmt: skip
    return result


def _correspondences(frame: Frame, usable: Array, last: dict[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the matches; `usable` is the similarity, -1 where it is below the threshold."""
    column_of = {prediction: k for k, prediction in enumerate(frame.ids.tolist())}
    kept: dict[int, int] = {}
    for row, person in enumerate(frame.truth_ids.tolist()):
        column = column_of.get(last[person]) if person in last else None
        if column is not None and column not in kept.values() and usable[row, column] >= 0:
            kept[row] = column
    rest = usable.copy()
    rest[list(kept)], rest[:, list(kept.values())] = -1.0, -1.0
    # A match is worth more than any sum of similarities, so that as many people as possible are matched.
    worth = np.where(rest >= 0, rest + 2.0 * max(usable.shape, default=0) + 2.0, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    new = rest[rows, columns] >= 0
    return (np.array([*kept, *rows[new]], dtype=np.intp), np.array([*kept.values(), *columns[new]], dtype=np.intp))


@dataclass(frozen=True)
class PoseFrame:
    """The poses of one frame.

    Args:
        truth_ids: (m,) and ids: (n,) identities of annotated people and predictions.
        truth: (m, J, 2) pixels, NaN where a joint is not labelled.
        joints: (n, J, 2) pixels, NaN where a joint is not predicted.
        head_sizes: (m,) pixels, MPII's 0.6 x diagonal of the head's box; who has none (NaN, 0) cannot be matched.
    """

    truth_ids: Ids
    ids: Ids
    truth: Array
    joints: Array
    head_sizes: Array

    def of_joint(self, joint: int) -> Frame:
        """Those who have the joint, with similarity 1 - distance / head size (0 beyond a head size).

        Raises:
            InputError: see `Frame`, or the arrays do not fit together.
        """
        m, n = len(self.truth_ids), len(self.ids)
        if self.truth.shape[:1] + self.joints.shape[:1] + self.head_sizes.shape != (m, n, m):
            raise InputError(f"found {len(self.truth)} annotated poses, {len(self.joints)} predictions and "
                             f"{len(self.head_sizes)} head sizes, wanted {m}, {n} and {m}; give one for each "
                             "identity")  # fmt: skip
        truth, joints = self.truth[:, joint].astype(np.float64), self.joints[:, joint].astype(np.float64)
        rows, columns = np.isfinite(truth).all(-1), np.isfinite(joints).all(-1)
        distance = np.linalg.norm(truth[rows][:, None] - joints[columns][None], axis=-1)
        heads = self.head_sizes[rows].astype(np.float64)[:, None]
        relative = np.divide(distance, heads, out=np.full(distance.shape, np.nan), where=heads > 0)
        return Frame(self.truth_ids[rows], self.ids[columns], np.maximum(1 - relative, 0.0))


@dataclass(frozen=True)
class JointTracking:
    """CLEAR MOT by joint; the means are over the joints that were annotated at all."""

    joints: tuple[Clear, ...]

    @property
    def mota(self) -> float:
        """Mean of the joints' MOTA, PoseTrack's ranking figure."""
        return _mean([joint.mota for joint in self.joints])

    @property
    def motp(self) -> float:
        """Mean of the joints' MOTP, 1 - distance / head size."""
        return _mean([joint.motp for joint in self.joints])


def posetrack(sequences: Iterable[Sequence[PoseFrame]], drop_last_frame: bool = True) -> JointTracking:
    """MOTA as PoseTrack measures it (poseval): each joint is an object of its own, right within half a head size.

    The counts of a joint are summed over the sequences; the figures of the joints are then averaged.

    Args:
        sequences: frames in the order of time; all with the same J joints.
        drop_last_frame: leave out the last frame of each sequence, as poseval does and so every published figure.

    Raises:
        InputError: no sequence has a frame, or a frame's arrays do not fit together.
    """
    kept = [list(frames[:-1] if drop_last_frame else frames) for frames in sequences]
    count = next((frame.truth.shape[1] for frames in kept for frame in frames), 0)
    if not count:
        raise InputError("found no frame with joints to measure, wanted at least one (two where the last is left out); "
                         "give annotated sequences")  # fmt: skip
    return JointTracking(tuple(
        sum((clear(frame.of_joint(joint) for frame in frames) for frames in kept), Clear()) for joint in range(count)
    ))  # fmt: skip


def _check_unique(ids: Ids, whose: str) -> None:
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(f"found the {whose} identity {values[counts.argmax()]} twice in a frame, wanted it once; "
                         "give each person of a frame an identity of its own")  # fmt: skip


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")
