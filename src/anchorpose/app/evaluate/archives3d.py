"""`anchorpose evaluate {h36m-p1,h36m-p2,h36m-p3,mupots,3dhp,3dpw}`: the original archives with 3D."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from anchorpose.app.evaluate.common import (
    JsonTarget,
    MaybeFolder,
    Root,
    Source,
    find_people,
    ranking_source,
    report3d,
    show,
)

if TYPE_CHECKING:
    from anchorpose.core.poses import Poses
    from anchorpose.evaluation.protocols import Table
    from anchorpose.evaluation.report.archives import Protocol
    from anchorpose.evaluation.truth3d import Truth3D

# Where the best-scoring person counts, unlikely people cost nothing: those commands take every score.
_Measure = Callable[["Sequence[Truth3D]", "Mapping[str, Poses]"], "Table"]


@dataclass(frozen=True)
class _Human36m:
    root: Root
    """The unpacked Human3.6M, with S1 to S11 and images."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=ranking_source)

    def _run(self, name: Literal["p1", "p2", "p3"]) -> int:
        from anchorpose.datasets import h36m
        from anchorpose.datasets.truth3d import h36m_truths
        from anchorpose.evaluation.protocols3d import evaluate_h36m

        protocol = {"p1": h36m.P1, "p2": h36m.P2, "p3": h36m.P3}[name]
        truths = h36m_truths(self.root, protocol)
        presets: dict[str, Protocol] = {"p1": "h36m-p1", "p2": "h36m-p2", "p3": "h36m-p3"}
        return _evaluate(self, presets[name], truths, ranking_source(), lambda t, p: evaluate_h36m(t, p, name))


@dataclass(frozen=True)
class H36mP1(_Human36m):
    """Human3.6M, protocol P1 of LCR-Net: S11, every 64th frame of camera 2."""

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        return self._run("p1")


@dataclass(frozen=True)
class H36mP2(_Human36m):
    """Human3.6M, protocol P2 of LCR-Net: S9 and S11, every 5th frame of all cameras."""

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        return self._run("p2")


@dataclass(frozen=True)
class H36mP3(_Human36m):
    """Human3.6M, protocol P3 of LCR-Net: as P2, the first trial of each action, camera 3, after alignment."""

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        return self._run("p3")


@dataclass(frozen=True)
class Mupots:
    """MuPoTS-3D: 3DPCK and AUC of all people and of those who were matched."""

    root: Root
    """The folder that holds TS1 to TS20 (MultiPersonTestSet)."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=Source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.datasets.truth3d import mupots_truths
        from anchorpose.evaluation.protocols3d import evaluate_mupots

        truths = mupots_truths(self.root)
        return _evaluate(self, "mupots", truths, Source(), lambda t, p: evaluate_mupots(t, p), rescale=True)


@dataclass(frozen=True)
class Mpi3dhp:
    """The test set of MPI-INF-3DHP: 3DPCK, AUC and MPJPE."""

    root: Root
    """The folder that holds TS1 to TS6 (mpi_inf_3dhp_test_set)."""
    rescale: bool = False
    """Give predicted bones the true lengths, for systems that predict people in their true size."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=ranking_source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.datasets.truth3d import threedhp_truths
        from anchorpose.evaluation.protocols3d import evaluate_3dhp

        truths = threedhp_truths(self.root)
        return _evaluate(self, "3dhp", truths, ranking_source(), lambda t, p: evaluate_3dhp(t, p, self.rescale),
                         self.rescale)  # fmt: skip


@dataclass(frozen=True)
class ThreeDpw:
    """3DPW: MPJPE, PA-MPJPE and acceleration."""

    root: Root
    """The folder that holds imageFiles and sequenceFiles."""
    split: Literal["train", "validation", "test"] = "test"
    """Which sequences."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=Source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.datasets.truth3d import threedpw_truths
        from anchorpose.evaluation.protocols3d import evaluate_3dpw

        return _evaluate(self, "3dpw", threedpw_truths(self.root, self.split), Source(), evaluate_3dpw)


def _evaluate(
    command: _Human36m | Mupots | Mpi3dhp | ThreeDpw,
    protocol: Protocol,
    truths: Sequence[Truth3D],
    standard: Source,
    measure: _Measure,
    rescale: bool = False,
) -> int:
    from anchorpose.core.skeleton import LCR13
    from anchorpose.evaluation.annotations import ImageEntry
    from anchorpose.evaluation.published import format_beside

    sizes = [(0, 0) if t.camera is None else (t.camera.width, t.camera.height) for t in truths]
    images = [ImageEntry(i, t.file_name, *size) for i, (t, size) in enumerate(zip(truths, sizes, strict=True))]
    found = find_people(command.source, standard, images, command.root, LCR13, command.json,
                        "complete the archive at --root", command.report)  # fmt: skip
    table = measure(truths, found.people)
    code = show(found, table, command.json, lambda tables: format_beside(protocol, tables))
    report3d(command.report, protocol, table, truths, found, command.root, rescale)
    return code
