"""How alike tracks and people of a new frame are, and who is who.

Four similarities, each 0 to 1: object keypoint similarity with the joints propagated by constant velocity and by flow
(whichever is better), absolute position in metres, relative 3D pose, and colours. All but the last get wider with the
time since the track was seen. What is not known (NaN) does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from anchorpose.core import boxes
from anchorpose.core.skeleton import Skeleton
from anchorpose.evaluation.keypoints import Truth, oks

Array = NDArray[np.floating]

MAX_UNMOVED = 0.15
"""Seconds after which a track counts as lost for the gates."""


@dataclass(frozen=True)
class Weights:
    """Importance of each similarity, and what makes two people too different.

    Args:
        keypoints, place, pose, colour: weights, any scale.
        least: weighted similarity below which a pair is never taken.
        least_lost: the same for tracks that have been lost for a while.
        least_colour: similarity of colours below which a lost track is not taken up again.
        doubt: share of a pair's worth that a new track has yet to earn.
        power: of the similarity in a pair's worth.
    """

    keypoints: float = 0.45
    place: float = 0.2
    pose: float = 0.15
    colour: float = 0.2
    least: float = 0.25
    least_lost: float = 0.35
    least_colour: float = 0.15
    doubt: float = 0.4
    power: float = 2.0


@dataclass(frozen=True)
class Candidates:
    """m tracks as they are expected in a frame, or the n people found in it.

    Args:
        joints2d: (m, J, 2) pixels. flowed: (m, J, 2) the same by flow, NaN without; None for people.
        joints3d: (m, J, 3) metres, relative. translation: (m, 3) metres. colours: (m, C) histograms.
        gap: (m,) seconds since the track was seen; 0 for people.
        trust: (m,) 0 to 1, how sure it is that the track is somebody; 1 for people.
    """

    joints2d: Array
    joints3d: Array
    translation: Array
    colours: Array
    gap: Array
    trust: Array
    flowed: Array | None = None


def similarity(tracks: Candidates, people: Candidates, skeleton: Skeleton, weights: Weights, colour: Array) -> Array:
    """(m, n) what each pair is worth, 0 where it must not be taken.

    That is the square of the weighted similarity, so that one good pair is worth more than two poor ones, less for
    tracks of little trust: false people beside a true one do not take it over.

    Args:
        tracks, people: m and n of them.
        skeleton: of the joints.
        weights: see `Weights`.
        colour: (m, n) likeness of the colours, NaN where unknown.
    """
    gap = tracks.gap[:, None]
    # Both guesses at once: for a few people the calls cost more than the numbers.
    guesses = [tracks.joints2d] if tracks.flowed is None else [tracks.joints2d, tracks.flowed]
    points = keypoint_similarity(np.concatenate(guesses), people.joints2d, np.tile(tracks.gap, len(guesses)), skeleton)
    points = np.fmax.reduce(points.reshape(len(guesses), len(gap), -1))
    terms = np.stack([points, place_similarity(tracks.translation, people.translation, gap),
                      pose_similarity(tracks.joints3d, people.joints3d, gap), colour])  # fmt: skip
    importance = np.array([weights.keypoints, weights.place, weights.pose, weights.colour])[:, None, None]
    known = np.isfinite(terms)
    total = np.where(known, importance * terms, 0.0).sum(0)
    weight = np.where(known, importance, 0.0).sum(0)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    lost = gap > MAX_UNMOVED
    allowed = mean >= np.where(lost, weights.least_lost, weights.least)
    allowed &= ~(lost & (colour < weights.least_colour)) & (np.nan_to_num(points) > 0.02)
    return np.where(allowed, (mean * (1 - weights.doubt + weights.doubt * tracks.trust[:, None])) ** weights.power, 0.0)


def assign(score: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pairs with the greatest summed score (m, n); pairs of score 0 are never taken."""
    rows, columns = linear_sum_assignment(score, maximize=True)
    taken = score[rows, columns] > 0
    return rows[taken], columns[taken]


def keypoint_similarity(tracks: Array, people: Array, gap: Array, skeleton: Skeleton) -> Array:
    """(m, J, 2), (n, J, 2) pixels, (m,) seconds -> (m, n) OKS; the tolerance doubles in half a second without sight."""
    bounds = boxes.around(tracks)
    wide = (1.0 + 2.0 * gap) * 1.5
    # a person seen from the side is as tall as from the front, but a third as wide
    size = np.maximum(boxes.area(bounds), ((bounds[:, 3] - bounds[:, 1]) ** 2) / 4)
    present = np.asarray(np.isfinite(tracks).all(-1), np.bool_)
    nobody = np.zeros(len(tracks), bool)
    truth = Truth(tracks, present, bounds, np.nan_to_num(size) * wide**2 + 1.0, nobody, nobody)
    value = oks(people, truth, skeleton.sigmas).T
    return np.where(np.any(present, axis=1, keepdims=True), value, np.nan)


def place_similarity(tracks: Array, people: Array, gap: Array) -> Array:
    """(m, 3), (n, 3) metres in the camera frame, (m, 1) seconds -> (m, n); depth is known less well than the rest."""
    apart = np.abs(tracks[:, None] - people[None])
    depth = np.abs(tracks[:, None, 2])
    aside = np.linalg.norm(apart[..., :2], axis=-1) / (0.1 + 0.03 * depth + 0.7 * gap)
    away = apart[..., 2] / (0.15 + 0.12 * depth + 0.5 * gap)
    return np.asarray(np.exp(-0.5 * (aside**2 + away**2)))


def pose_similarity(tracks: Array, people: Array, gap: Array) -> Array:
    """(m, J, 3), (n, J, 3) metres relative to the body centre, (m, 1) seconds -> (m, n)."""
    distance = np.linalg.norm(tracks[:, None] - people[None], axis=-1)
    known = np.isfinite(distance)
    count = known.sum(-1)
    mean = np.divide(np.where(known, distance, 0.0).sum(-1), count, out=np.full(count.shape, np.nan), where=count > 0)
    return np.asarray(np.exp(-0.5 * (mean / (0.12 + 0.25 * np.minimum(gap, 1.0))) ** 2))
