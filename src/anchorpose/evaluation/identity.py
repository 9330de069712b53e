"""Whole tracks: IDF1 (Ristani et al., 2016) and HOTA (Luiten et al., IJCV 2021), with the counts of TrackEval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from anchorpose.evaluation.tracking import THRESHOLD, Frame

Array = NDArray[np.floating]

ALPHAS = np.linspace(0.05, 0.95, 19)
"""Thresholds on the similarity that HOTA is averaged over."""
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Identity:
    """Counts of the best one-to-one pairing of whole tracks; add several sequences up before the figures are read."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: Identity) -> Identity:
        return Identity(self.true_positives + other.true_positives, self.false_positives + other.false_positives,
                        self.false_negatives + other.false_negatives)  # fmt: skip

    @property
    def idf1(self) -> float:
        """2 IDTP / (2 IDTP + IDFP + IDFN); NaN where there is nobody on both sides."""
        whole = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / whole if whole else float("nan")


def identity(frames: Iterable[Frame], threshold: float = THRESHOLD) -> Identity:
    """IDF1's counts of one sequence: each track is paired with at most one, over all frames at once.

    Args:
        frames: of one sequence, in any order.
        threshold: least similarity at which a frame counts for a pair of tracks.
    """
    tracks = _Tracks(list(frames))
    common = np.zeros(tracks.shape)
    for rows, columns, similarity in tracks.frames:
        common[np.ix_(rows, columns)] += similarity >= threshold
    # Unpaired tracks and pairs without a common frame cost the same, so the assignment needs no dummy tracks.
    paired = int(common[linear_sum_assignment(common, maximize=True)].sum())
    return Identity(paired, int(tracks.predicted.sum()) - paired, int(tracks.annotated.sum()) - paired)


@dataclass(frozen=True)
class Hota:
    """HOTA's counts at each of `ALPHAS`; add several sequences up before the figures are read.

    Args:
        true_positives, false_positives, false_negatives: (19,) counts.
        association: (19,) sum over the true positives of the Jaccard index of their two tracks.
        localization: (19,) sum over the true positives of their similarity.
    """

    true_positives: Array
    false_positives: Array
    false_negatives: Array
    association: Array
    localization: Array

    def __add__(self, other: Hota) -> Hota:
        return Hota(self.true_positives + other.true_positives, self.false_positives + other.false_positives,
                    self.false_negatives + other.false_negatives, self.association + other.association,
                    self.localization + other.localization)  # fmt: skip

    @property
    def deta(self) -> Array:
        """(19,) detection accuracy TP / (TP + FP + FN); NaN where there is nobody on both sides."""
        whole = self.true_positives + self.false_positives + self.false_negatives
        return np.asarray(np.divide(self.true_positives, whole, out=np.full(len(whole), np.nan), where=whole > 0))

    @property
    def assa(self) -> Array:
        """(19,) association accuracy, the mean Jaccard index of the true positives' tracks; 0 without any."""
        return np.asarray(self.association / np.maximum(self.true_positives, 1))

    @property
    def loca(self) -> Array:
        """(19,) mean similarity of the true positives; NaN without any (TrackEval says 1)."""
        count = self.true_positives
        return np.asarray(np.divide(self.localization, count, out=np.full(len(count), np.nan), where=count > 0))

    @property
    def hota(self) -> Array:
        """(19,) geometric mean of detection and association accuracy; the published figure is its mean."""
        return np.asarray(np.sqrt(self.deta * self.assa))


def hota(frames: Iterable[Frame]) -> Hota:
    """HOTA's counts of one sequence.

    In each frame the assignment maximises similarity times how well the two whole tracks fit together (section 5.1's
    global alignment); those assigned whose similarity reaches alpha are the true positives.

    Args:
        frames: of one sequence, in any order.
    """
    tracks = _Tracks(list(frames))
    alignment = _alignment(tracks)
    matches = np.zeros((len(ALPHAS), *tracks.shape))
    localization = np.zeros(len(ALPHAS))
    for rows, columns, similarity in tracks.frames:
        here = np.ix_(rows, columns)
        a, b = linear_sum_assignment(alignment[here] * similarity, maximize=True)
        value = similarity[a, b]
        hit = value >= ALPHAS[:, None] - _EPS
        matches[:, rows[a], columns[b]] += hit
        localization += (hit * value).sum(axis=1)
    lengths = tracks.annotated[:, None] + tracks.predicted[None]
    jaccard = matches / np.maximum(lengths - matches, 1)
    found = matches.sum(axis=(1, 2))
    return Hota(found, tracks.predicted.sum() - found, tracks.annotated.sum() - found,
                (matches * jaccard).sum(axis=(1, 2)), localization)  # fmt: skip


class _Tracks:
    """The frames of a sequence with identities as positions 0, 1, 2, ... and NaN similarity as 0."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        nobody = np.zeros(0, dtype=np.int64)
        truth, rows = np.unique(np.concatenate([nobody, *(f.truth_ids for f in frames)]), return_inverse=True)
        ids, columns = np.unique(np.concatenate([nobody, *(f.ids for f in frames)]), return_inverse=True)
        self.shape = len(truth), len(ids)
        self.annotated = np.bincount(rows, minlength=len(truth))
        self.predicted = np.bincount(columns, minlength=len(ids))
        ends = np.cumsum([[0, 0], *([len(f.truth_ids), len(f.ids)] for f in frames)], axis=0)
        self.frames = [
            (rows[a:c], columns[b:d], np.nan_to_num(f.similarity.astype(np.float64), nan=0.0))
            for f, (a, b), (c, d) in zip(frames, ends[:-1], ends[1:], strict=True)
        ]


def _alignment(tracks: _Tracks) -> Array:
    """(m, n) soft Jaccard index of all pairs of tracks, before anybody is assigned."""
    potential = np.zeros(tracks.shape)
    for rows, columns, similarity in tracks.frames:
        either = similarity.sum(0)[None] + similarity.sum(1)[:, None] - similarity
        potential[np.ix_(rows, columns)] += np.divide(similarity, either, out=np.zeros_like(either),
                                                      where=either > _EPS)  # fmt: skip
    whole = tracks.annotated[:, None] + tracks.predicted[None] - potential
    return np.asarray(np.divide(potential, whole, out=np.zeros_like(whole), where=whole > 0))
