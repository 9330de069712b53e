"""`anchorpose evaluate {mpii-single,mpii-multi,crowdpose,posetrack}`: the original archives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anchorpose.app.evaluate.common import (
    Found,
    JsonTarget,
    MaybeFile,
    MaybeFolder,
    Root,
    Source,
    find_people,
    ranking_source,
    report,
    show,
)
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.evaluation.protocols import Table
    from anchorpose.evaluation.protocols2d import Rank
    from anchorpose.evaluation.truth import Benchmark

_RankBy = Literal["auto", "person", "joint"]


@dataclass(frozen=True)
class MpiiSingle:
    """PCKh of MPII's single people."""

    root: Root
    """The unpacked archive, with mpii_human_pose_v1_u12_1.mat and images."""
    only: MaybeFile = None
    """Only the pictures named in this text file, one a line, such as those of a validation set."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=Source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols2d import evaluate_mpii_single

        benchmark = _only(_mpii(self.root), self.only)
        return _evaluate(self, "mpii-single", benchmark, Source(), lambda b, f: evaluate_mpii_single(b, f.people))


@dataclass(frozen=True)
class MpiiMulti:
    """AP by joint of MPII's groups of people."""

    root: Root
    """The unpacked archive, with mpii_human_pose_v1_u12_1.mat and images."""
    only: MaybeFile = None
    """Only the pictures named in this text file, one a line, such as those of a validation set."""
    rank_by: _RankBy = "auto"
    """What ranks a joint: the score of its person or its own; auto is its own for COCO results and PoseTrack's JSON."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=ranking_source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols2d import evaluate_mpii_multi

        benchmark = _only(_mpii(self.root), self.only)
        return _evaluate(self, "mpii-multi", benchmark, ranking_source(),
                         lambda b, f: evaluate_mpii_multi(b, f.people, _rank(self.rank_by, f)))  # fmt: skip


@dataclass(frozen=True)
class CrowdPose:
    """AP of CrowdPose, of all pictures and of the easy, medium and hard ones."""

    root: Root
    """Folder with images and crowdpose_SPLIT.json (there, in json or in annotations)."""
    split: Literal["train", "val", "trainval", "test"] = "test"
    """Which file."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=ranking_source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.datasets.crowdpose import read_crowdpose
        from anchorpose.datasets.truth import benchmark_of
        from anchorpose.evaluation.protocols2d import evaluate_crowdpose

        benchmark = benchmark_of(read_crowdpose(self.root, self.split), self.root)
        return _evaluate(self, "crowdpose", benchmark, ranking_source(), lambda b, f: evaluate_crowdpose(b, f.people))


@dataclass(frozen=True)
class PoseTrack:
    """AP and MOTA by joint of PoseTrack18; MOTA needs tracks, such as --predictions of `anchorpose track`."""

    root: Root
    """The unpacked archive, with images and annotations."""
    split: Literal["train", "val"] = "val"
    """Which folder of annotations; the test videos have none."""
    rank_by: _RankBy = "auto"
    """What ranks a joint: the score of its person or its own; auto is its own for COCO results and PoseTrack's JSON."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=ranking_source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.datasets.posetrack import read_posetrack
        from anchorpose.datasets.truth import benchmark_of
        from anchorpose.evaluation.protocols2d import evaluate_posetrack

        benchmark = benchmark_of(read_posetrack(self.root, self.split), self.root)
        return _evaluate(self, "posetrack", benchmark, ranking_source(),
                         lambda b, f: evaluate_posetrack(b, f.people, _rank(self.rank_by, f)))  # fmt: skip


def _evaluate(
    command: MpiiSingle | MpiiMulti | CrowdPose | PoseTrack,
    protocol: str,
    benchmark: Benchmark,
    standard: Source,
    measure: Callable[[Benchmark, Found], Table],
) -> int:
    from anchorpose.evaluation.published import format_beside

    annotations = benchmark.annotations
    found = find_people(command.source, standard, annotations.images, command.root, annotations.skeleton, command.json,
                        "complete the archive at --root", command.report)  # fmt: skip
    table = measure(benchmark, found)
    code = show(found, table, command.json, lambda tables: format_beside(protocol, tables))
    report(command.report, annotations, found, command.root, f"{protocol} on {command.root.name}")
    return code


def _mpii(root: Path) -> Benchmark:
    from anchorpose.datasets.mpii import read_mpii
    from anchorpose.datasets.truth import benchmark_of

    # The test pictures have no joints.
    return benchmark_of(read_mpii(root, "train"), root)


def _only(benchmark: Benchmark, path: Path | None) -> Benchmark:
    """The pictures that a text file names, with or without their folder."""
    if path is None:
        return benchmark
    try:
        wanted = {Path(line.strip()).name for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text, wanted names of pictures, one a line; give such a file") from None
    names = [image.file_name for image in benchmark.annotations.images if Path(image.file_name).name in wanted]
    if absent := wanted - {Path(name).name for name in names}:
        raise InputError(f"{path} names {len(absent)} of {len(wanted)} pictures that are not annotated, such as "
                         f"{min(absent)}; take them out")  # fmt: skip
    return benchmark.only(names)


def _rank(chosen: _RankBy, found: Found) -> Rank:
    if chosen != "auto":
        return chosen
    return "joint" if found.joint_scores else "person"
