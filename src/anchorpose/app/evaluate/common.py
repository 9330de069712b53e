"""What the protocols share: where predictions come from, and what is done with the figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import tyro

from anchorpose.app.commands_common import EstimatorOptions, make_folder, progress, report_failures
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.app.estimator import Estimator
    from anchorpose.core.poses import Poses
    from anchorpose.core.skeleton import Skeleton
    from anchorpose.evaluation.annotations import Annotations, ImageEntry
    from anchorpose.evaluation.protocols import Table
    from anchorpose.evaluation.report.archives import Protocol
    from anchorpose.evaluation.truth3d import Truth3D

MaybeFolder = Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
MaybeFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
Root = Annotated[Path, tyro.conf.arg(metavar="DIR")]
JsonTarget = Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Source:
    """Predictions from weights or from a file."""

    predictions: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Score these predictions instead of running weights: poses.json of `anchorpose detect`, results.jsonl of
    `anchorpose track` (or the folder above several), COCO results, or PoseTrack's JSON (a file or a folder)."""
    missing: Literal["error", "nobody"] = "error"
    """Whether an image that FILE lacks is an error, or counts as one in which nobody was found."""
    estimator: Annotated[EstimatorOptions, tyro.conf.arg(help="Which weights find people, and how.")] = field(
        default_factory=EstimatorOptions
    )


def ranking_source() -> Source:
    """For figures that rank all people, also unlikely ones, such as AP."""
    return Source(estimator=EstimatorOptions(min_score=0.0))


@dataclass(frozen=True)
class Found:
    """Predictions of the images that were asked for.

    Args:
        system: what the table calls them.
        people: image file name -> its people.
        failures: images that could not be read; they count as images in which nobody was found.
        total: number of images.
        joint_scores: True where the predictions' joints have scores of their own.
    """

    system: str
    people: Mapping[str, Poses]
    failures: Sequence[str]
    total: int
    joint_scores: bool = False


def find_people(source: Source, standard: Source, images: Sequence[ImageEntry], folder: Path, skeleton: Skeleton,
                json_target: str | None, advice: str, report_folder: Path | None = None) -> Found:  # fmt: skip
    """Run the estimator on the images below `folder`, or read the file.

    Args:
        source: the user's choice. standard: the command's own defaults.
        images: the annotated images. skeleton: of their annotations.
        json_target, report_folder: see `show` and `report`; their folders are made before the work starts.
        advice: what to do when images are missing.

    Raises:
        InputError: options exclude each other, images are missing, or the file or the weights cannot be used.
    """
    if not images:
        raise InputError("found no annotated image, wanted at least one; check the annotations and what was chosen")
    if source.predictions is None:
        _check_images(images, folder, advice)
    elif source.estimator != standard.estimator:
        raise InputError("found --predictions and options of the weights, wanted one of them: a file is scored as it "
                         "is; leave --model, --min-score, --max-side, --fov and --threads out")  # fmt: skip
    if json_target not in (None, "-"):
        make_folder(Path(str(json_target)).parent)
    if report_folder is not None:
        make_folder(report_folder)
    if source.predictions is None:
        return _estimate(source.estimator.load(), images, folder)
    return _read(source.predictions, images, skeleton, source.missing, folder)


def _check_images(images: Sequence[ImageEntry], folder: Path, advice: str) -> None:
    """Wrong folders show at once, not after an hour."""
    missing = [i.file_name for i in images if not (folder / i.file_name).is_file()]
    if missing:
        raise InputError(f"{len(missing)} of {len(images)} images are not in {folder}, the first is {missing[0]}; "
                         f"{advice}")  # fmt: skip


def _estimate(estimator: Estimator, images: Sequence[ImageEntry], folder: Path) -> Found:
    from anchorpose.core.camera import Camera
    from anchorpose.core.poses import Poses

    people, failures = {}, []
    for image in progress(images, "evaluate"):
        try:
            people[image.file_name] = estimator(folder / image.file_name)
        except InputError as error:
            failures.append(str(error))
            size = max(image.width, 1), max(image.height, 1)  # 0 where the annotations do not say
            people[image.file_name] = Poses.empty(Camera.from_fov(*size, estimator.fov))
    return Found(estimator.model.metadata.preset, people, failures, len(images))


def _read(path: Path, images: Sequence[ImageEntry], skeleton: Skeleton, missing: Literal["error", "nobody"],
          root: Path) -> Found:  # fmt: skip
    from anchorpose.evaluation.predictions import read_predictions

    found = read_predictions(path, images, skeleton, missing, root)
    if found.absent:
        print(f"anchorpose: {len(found.absent)} of {len(images)} images have no entry in {path} and count as images "
              "without people", file=sys.stderr)  # fmt: skip
    return Found(path.stem or path.name, found.people, (), len(images), found.kind in ("coco-results", "posetrack"))


def show(found: Found, table: Table, json_target: str | None, text: Callable[[dict[str, Table]], str]) -> int:
    """Print the figures and write them as JSON; the exit code is 2 if an image failed.

    Args:
        table: the figures.
        json_target: a file; "-" is the standard output, instead of the text; None writes none.
        text: {system: figures} -> what is printed.
    """
    from anchorpose.io.files import write_json

    if json_target not in (None, "-"):
        write_json(str(json_target), table, indent=1)
    if json_target == "-":
        print(json.dumps(table, allow_nan=False))
    else:
        print(text({found.system: table}))
    return report_failures(found.failures, found.total)


def report(folder: Path | None, annotations: Annotations, found: Found, images: Path, title: str) -> None:
    """Write the HTML report, if a folder was given for it; InputError if that is not possible."""
    if folder is None:
        return
    from anchorpose.evaluation.report.write import write_report

    path = write_report(folder, annotations, found.people, images, f"{found.system}: {title}")
    print(f"anchorpose: {path}", file=sys.stderr)


def report3d(folder: Path | None, protocol: Protocol, table: Table, truths: Sequence[Truth3D], found: Found,
             root: Path, rescale: bool) -> None:  # fmt: skip
    """The same for an archive with 3D.

    Args:
        table: the protocol's figures.
        truths: its pictures, below `root`.
        rescale: whether predicted bones take the true lengths.
    """
    if folder is None:
        return
    from anchorpose.evaluation.report.write3d import write_archive_report

    path = write_archive_report(folder, protocol, table, truths, found.people, root, found.system, rescale)
    print(f"anchorpose: {path}", file=sys.stderr)
