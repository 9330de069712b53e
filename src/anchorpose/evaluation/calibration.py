"""Whether scores can be believed: reliability, expected calibration error, risk over coverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anchorpose.core.errors import InputError

Array = NDArray[np.float64]
BINS = 15
"""Guo et al. (ICML 2017, section 2) use 15 bins of equal width."""


@dataclass(frozen=True)
class Reliability:
    """The reliability curve: what was claimed and what came true, in bins of equal width over 0 to 1.

    Args:
        edges: (b + 1,) of the bins; a score on an edge belongs to the bin below it.
        counts: (b,) scores in each bin.
        confidence: (b,) their mean; NaN in an empty bin.
        accuracy: (b,) mean of what came true; NaN in an empty bin.
    """

    edges: Array
    counts: NDArray[np.int64]
    confidence: Array
    accuracy: Array

    @property
    def expected_error(self) -> float:
        """Expected calibration error, 0 to 1: mean of |accuracy - confidence| over the scores; NaN without any."""
        used = self.counts > 0
        gap = np.abs(self.accuracy[used] - self.confidence[used])
        return float(np.average(gap, weights=self.counts[used])) if used.any() else float("nan")

    @property
    def maximum_error(self) -> float:
        """Greatest |accuracy - confidence| of a bin; NaN without scores."""
        used = self.counts > 0
        return float(np.abs(self.accuracy[used] - self.confidence[used]).max()) if used.any() else float("nan")


def reliability(scores: ArrayLike, correct: ArrayLike, bins: int = BINS) -> Reliability:
    """Reliability curve of scores that claim to be probabilities, such as `Poses.joint_scores`.

    Args:
        scores: (...) 0 to 1, NaN where there is none.
        correct: (...) bool, or 0 to 1 for outcomes that are partly right, NaN where it is not known.
        bins: number of bins.

    Raises:
        InputError: the shapes differ, or a score or outcome lies outside 0 to 1.
    """
    claimed, outcome = _known_pairs(scores, correct)
    for name, values in (("score", claimed), ("outcome", outcome)):
        if not ((values >= 0) & (values <= 1)).all():
            raise InputError(f"found {name}s from {values.min():g} to {values.max():g}, wanted 0 to 1; turn them into "
                             "probabilities first")  # fmt: skip
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, claimed, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    mean = [np.divide(np.bincount(place, weights=values, minlength=bins), counts,
                      out=np.full(bins, np.nan), where=counts > 0) for values in (claimed, outcome)]  # fmt: skip
    return Reliability(edges, counts, *mean)


@dataclass(frozen=True)
class RiskCoverage:
    """Mean loss of the most confident k of n answers, for every k.

    Args:
        coverage: (n,) k / n, rising to 1.
        risk: (n,) mean loss, in the unit of the losses.
    """

    coverage: Array
    risk: Array

    @property
    def area(self) -> float:
        """Area under the curve (AURC, Geifman et al., ICLR 2019), the mean risk over all coverages; NaN without any."""
        return float(self.risk.mean()) if len(self.risk) else float("nan")


def risk_coverage(scores: ArrayLike, losses: ArrayLike) -> RiskCoverage:
    """Risk-coverage curve: what is gained by leaving unsure answers out.

    Answers of the same score have no order among them: within a tie the curve is the mean over all orders.

    Args:
        scores: (...) greater is surer, any scale; NaN where there is no answer.
        losses: (...) such as an error in millimetres, or wrong = 1; NaN where it is not known.

    Raises:
        InputError: the shapes differ.
    """
    sureness, loss = _known_pairs(scores, losses)
    _, group = np.unique(-sureness, return_inverse=True)
    counts = np.bincount(group)
    means = np.divide(np.bincount(group, weights=loss), counts, out=np.zeros(len(counts)), where=counts > 0)
    rank = np.arange(1, len(loss) + 1)
    total = np.cumsum(np.repeat(means, counts))
    return RiskCoverage(rank / max(len(loss), 1), total / rank)


def _known_pairs(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """Both as flat arrays, without the entries that are NaN on a side."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise InputError(f"found scores of shape {first.shape} and outcomes of shape {second.shape}, wanted the same; "
                         "give one outcome a score")  # fmt: skip
    known = ~np.isnan(first + second)
    return first[known], second[known]
