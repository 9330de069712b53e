"""`anchorpose evaluate {coco,lsp,scenes,rendered}`: COCO-style annotation files and the folder of their images.

LSP is also read from its archive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from anchorpose.app.evaluate.common import (
    Found,
    JsonTarget,
    MaybeFile,
    MaybeFolder,
    Source,
    find_people,
    ranking_source,
    report,
    show,
)
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.core.poses import Poses
    from anchorpose.evaluation.annotations import Annotations
    from anchorpose.evaluation.protocols import Table

_File = Annotated[Path, tyro.conf.arg(metavar="FILE.json")]
_Images = Annotated[Path, tyro.conf.arg(metavar="DIR")]
_Figures = Callable[["Annotations", "Mapping[str, Poses]"], "Table"]


@dataclass(frozen=True)
class _Truth:
    """Annotations, the folder of their pictures, what the report calls them, and what to do if pictures are missing."""

    annotations: Annotations
    images: Path
    name: str
    advice: str


@dataclass(frozen=True)
class Coco:
    """Average precision by object keypoint similarity, as COCO measures it."""

    annotations: _File
    """Keypoint annotations, such as person_keypoints_val2017.json."""
    images: _Images
    """Folder of the annotated images."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=ranking_source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols import evaluate_coco
        from anchorpose.evaluation.published import format_beside

        truth = _read(self.annotations, self.images)
        return _measure(self, truth, ranking_source(), evaluate_coco, lambda tables: format_beside("coco", tables))


@dataclass(frozen=True)
class Lsp:
    """Share of correct keypoints (PCK at 0.2 torso) of Leeds Sports Pose."""

    root: MaybeFolder = None
    """The unpacked archive, with joints.mat and images."""
    split: Literal["train", "test", "all"] = "test"
    """Which pictures of the archive: the first 1000, the others, or both."""
    annotations: MaybeFile = None
    """Instead of --root: COCO-style annotations with LSP's joints, such as those of `anchorpose data convert`."""
    images: MaybeFolder = None
    """Folder of the pictures of --annotations."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=Source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols import evaluate_lsp
        from anchorpose.evaluation.published import format_beside

        truth = self._truth()
        return _measure(self, truth, Source(), lambda a, p: evaluate_lsp(a, p),
                        lambda tables: format_beside("lsp", tables))  # fmt: skip

    def _truth(self) -> _Truth:
        if self.root is not None and self.annotations is None and self.images is None:
            from anchorpose.datasets.lsp import read_lsp
            from anchorpose.datasets.truth import benchmark_of

            benchmark = benchmark_of(read_lsp(self.root, self.split), self.root)
            return _Truth(benchmark.annotations, self.root, self.root.name, "complete the archive at --root")
        if self.root is not None or self.annotations is None or self.images is None or self.split != "test":
            raise InputError("found neither an archive nor a file, or parts of both, wanted one of them; give --root "
                             "(and --split), or --annotations and --images")  # fmt: skip
        return _read(self.annotations, self.images)


@dataclass(frozen=True)
class Scenes:
    """MPJPE, PA-MPJPE and 3DPCK where 3D is exact, as `anchorpose synthesize render` makes it."""

    annotations: _File
    """Annotations with `joints3d`."""
    images: _Images
    """Folder of the annotated images."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=Source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols import format_table
        from anchorpose.evaluation.scenes import evaluate_scenes

        return _measure(self, _read(self.annotations, self.images), Source(), evaluate_scenes, format_table)


@dataclass(frozen=True)
class Rendered:
    """As scenes, with N-MPJPE, the place of people, and errors by what can be seen of a joint."""

    annotations: _File
    """The annotations.json of `anchorpose synthesize render`."""
    images: _Images
    """Folder of the annotated images."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=Source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.datasets.truth3d import rendered_truths
        from anchorpose.evaluation.protocols import format_table
        from anchorpose.evaluation.rendered import evaluate_rendered

        truths = rendered_truths(self.annotations)
        return _measure(self, _read(self.annotations, self.images), Source(),
                        lambda a, p: evaluate_rendered(a, truths, p), format_table)  # fmt: skip


def _read(annotations: Path, images: Path) -> _Truth:
    from anchorpose.evaluation.annotations import load_annotations

    return _Truth(load_annotations(annotations), images, annotations.name, "give their folder with --images")


def _measure(
    command: Coco | Lsp | Scenes | Rendered,
    truth: _Truth,
    standard: Source,
    figures: _Figures,
    text: Callable[..., str],
) -> int:
    annotations = truth.annotations
    found: Found = find_people(command.source, standard, annotations.images, truth.images, annotations.skeleton,
                               command.json, truth.advice, command.report)  # fmt: skip
    code = show(found, figures(annotations, found.people), command.json, text)
    title = f"{type(command).__name__.lower()} on {truth.name}"
    report(command.report, annotations, found, truth.images, title)
    return code
