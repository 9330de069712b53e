"""`anchorpose evaluate`: runs weights over annotated photographs and prints a table of figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from anchorpose.app.commands_common import EstimatorOptions, make_folder, progress, report_failures
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.app.estimator import Estimator
    from anchorpose.core.poses import Poses
    from anchorpose.evaluation.protocols import Annotations, Table

_Annotations = Annotated[Path, tyro.conf.arg(metavar="FILE.json")]
_Images = Annotated[Path, tyro.conf.arg(metavar="DIR")]
_Json = Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]


@dataclass(frozen=True)
class Coco:
    """Average precision by object keypoint similarity, as COCO measures it."""

    annotations: _Annotations
    """Keypoint annotations, such as person_keypoints_val2017.json."""
    images: _Images
    """Folder of the annotated images."""
    json: _Json = None
    """Also write the figures here; - is the standard output, instead of the table."""
    # AP ranks all people, also unlikely ones.
    estimator: Annotated[EstimatorOptions, tyro.conf.arg(help="Which weights find people, and how.")] = field(
        default_factory=lambda: EstimatorOptions(min_score=0.0)
    )

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols import evaluate_coco

        return _evaluate(self, evaluate_coco)


@dataclass(frozen=True)
class Lsp:
    """Share of correct keypoints (PCK at 0.2 torso), as Leeds Sports Pose is measured."""

    annotations: _Annotations
    """COCO-style annotations with LSP's joints."""
    images: _Images
    """Folder of the annotated images."""
    json: _Json = None
    """Also write the figures here; - is the standard output, instead of the table."""
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.protocols import evaluate_lsp

        return _evaluate(self, evaluate_lsp)


@dataclass(frozen=True)
class Scenes:
    """MPJPE, PA-MPJPE and 3DPCK where 3D is exact, as `anchorpose synthesize render` makes it."""

    annotations: _Annotations
    """Annotations with `joints3d`."""
    images: _Images
    """Folder of the annotated images."""
    json: _Json = None
    """Also write the figures here; - is the standard output, instead of the table."""
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)

    def run(self) -> int:
        """Exit code: 2 if an image failed; it then counts as one in which nobody was found."""
        from anchorpose.evaluation.scenes import evaluate_scenes

        return _evaluate(self, evaluate_scenes)


def _evaluate(command: Coco | Lsp | Scenes, measure: Callable[[Annotations, Mapping[str, Poses]], Table]) -> int:
    from anchorpose.evaluation.protocols import format_table, load_annotations
    from anchorpose.io.files import write_json

    annotations = load_annotations(command.annotations)
    _check_images(annotations, command)
    if command.json not in (None, "-"):
        make_folder(Path(str(command.json)).parent)
    failures: list[str] = []
    estimator = command.estimator.load()
    table = measure(annotations, _predict(estimator, annotations, command.images, failures))
    if command.json == "-":
        print(json.dumps(table, allow_nan=False))
    else:
        print(format_table({estimator.model.metadata.preset: table}))
    if command.json not in (None, "-"):
        write_json(str(command.json), table, indent=1)
    return report_failures(failures, len(annotations))


def _check_images(annotations: Annotations, command: Coco | Lsp | Scenes) -> None:
    """Wrong folders show at once, not after an hour."""
    missing = [i.file_name for i in annotations.images if not (command.images / i.file_name).is_file()]
    if missing:
        raise InputError(f"{len(missing)} of {len(annotations)} images of {command.annotations} are not in "
                         f"{command.images}, the first is {missing[0]}; give their folder with --images")  # fmt: skip


def _predict(estimator: Estimator, annotations: Annotations, folder: Path, failures: list[str]) -> dict[str, Poses]:
    """File name -> people; nobody for images that cannot be read, which are added to `failures`."""
    from anchorpose.core.camera import Camera
    from anchorpose.core.poses import Poses

    predictions = {}
    for image in progress(annotations.images, "evaluate"):
        try:
            predictions[image.file_name] = estimator(folder / image.file_name)
        except InputError as error:
            failures.append(str(error))
            size = max(image.width, 1), max(image.height, 1)  # 0 where the annotations do not say
            predictions[image.file_name] = Poses.empty(Camera.from_fov(*size, estimator.fov))
    return predictions
