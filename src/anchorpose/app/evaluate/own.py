"""`anchorpose evaluate {coco,lsp,scenes,rendered}`: COCO-style annotation files and the folder of their images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from anchorpose.app.evaluate.common import (
    Found,
    JsonTarget,
    MaybeFolder,
    Source,
    find_people,
    ranking_source,
    report,
    show,
)

if TYPE_CHECKING:
    from anchorpose.core.poses import Poses
    from anchorpose.evaluation.annotations import Annotations
    from anchorpose.evaluation.protocols import Table

_File = Annotated[Path, tyro.conf.arg(metavar="FILE.json")]
_Images = Annotated[Path, tyro.conf.arg(metavar="DIR")]
_Measure = Callable[["Annotations", "Mapping[str, Poses]"], "Table"]


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
        from anchorpose.evaluation.protocols import evaluate_coco, format_table
        from anchorpose.evaluation.published import format_beside

        return _evaluate(self, ranking_source(), evaluate_coco,
                         lambda tables: f"{format_table(tables)}\n\n{format_beside('coco', tables)}")  # fmt: skip


@dataclass(frozen=True)
class Lsp:
    """Share of correct keypoints (PCK at 0.2 torso), as Leeds Sports Pose is measured."""

    annotations: _File
    """COCO-style annotations with LSP's joints, of `anchorpose data convert ARCHIVE --from lsp-mat`."""
    images: _Images
    """Folder of the annotated images."""
    json: JsonTarget = None
    """Also write the figures here; - is the standard output, instead of the table."""
    report: MaybeFolder = None
    """Write report.html with curves, errors and pictures into this folder."""
    source: Source = field(default_factory=Source)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols import evaluate_lsp, format_table

        return _evaluate(self, Source(), lambda a, p: evaluate_lsp(a, p), format_table)


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

        return _evaluate(self, Source(), evaluate_scenes, format_table)


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
        return _evaluate(self, Source(), lambda a, p: evaluate_rendered(a, truths, p), format_table)


def _evaluate(
    command: Coco | Lsp | Scenes | Rendered, standard: Source, measure: _Measure, text: Callable[..., str]
) -> int:
    from anchorpose.evaluation.annotations import load_annotations

    annotations = load_annotations(command.annotations)
    found: Found = find_people(command.source, standard, annotations.images, command.images, annotations.skeleton,
                               command.json, "give their folder with --images")  # fmt: skip
    code = show(found, measure(annotations, found.people), command.json, text)
    title = f"{type(command).__name__.lower()} on {command.annotations.name}"
    report(command.report, annotations, found, command.images, title, command.annotations)
    return code
