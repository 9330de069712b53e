"""`anchorpose detect`: photographs in, overlay pictures and poses as JSON out."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from anchorpose.app.commands_common import EstimatorOptions, make_folder, progress, report_failures
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anchorpose.app.estimator import Estimator
    from anchorpose.core.poses import Poses
    from anchorpose.io.sources import Sources

DEFAULT_OUT = Path("results")
_JPEG_LIMIT = 65535
"""Pixels a side; PNG holds more."""


@dataclass(frozen=True)
class Detect:
    """Finds the people in photographs.

    For example `anchorpose detect street.jpg photos/ --out results/` writes a picture with the people drawn in for
    each photograph, and all poses to results/poses.json.
    """

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE...", help_behavior_hint="")]
    """Photographs, folders of photographs, or patterns such as 'photos/*.jpg'."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the pictures and the JSON; `results` unless --json is given."""
    json: Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write the JSON here; - is the standard output. Without --out no pictures are made."""
    format: Literal["anchorpose", "coco", "openpose"] = "anchorpose"
    """Form of the JSON; openpose writes one file STEM_keypoints.json an image, the others one poses.json."""
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)

    def run(self) -> int:
        """Exit code: 2 if an input failed; the others are still done."""
        from anchorpose.io.sources import expand_sources

        if not self.sources:
            raise InputError("no photographs given; name files, folders or patterns: anchorpose detect street.jpg")
        if self.json is not None and self.format == "openpose":
            raise InputError("OpenPose's format has one file an image; use --out DIR instead of --json")
        found = expand_sources(list(self.sources))
        out = DEFAULT_OUT if self.out is None and self.json is None else self.out
        failures = [reason for _, reason in found.failures]
        total = len(found.paths) + len(failures)
        results: list[tuple[str, Poses]] = []
        if found.paths:
            estimator = self.estimator.load()
            self._prepare(out, found)
            self._detect(estimator, found.paths, out, results, failures)
        if results:
            self._write_results(results, out)
            _summarise(results, out)
        return report_failures(failures, total)

    def _prepare(self, out: Path | None, found: Sources) -> None:
        """Finds out before the work starts whether its results can be written."""
        if self.json not in (None, "-"):
            make_folder(Path(str(self.json)).parent)
        if out is None:
            return
        make_folder(out)
        if any(path.resolve().parent == out.resolve() for path in found.paths):
            raise InputError(f"{out} holds input images, which pictures of the same names would replace; choose "
                             "another folder for --out")  # fmt: skip

    def _detect(self, estimator: Estimator, paths: list[Path], out: Path | None, results: list[tuple[str, Poses]],
                failures: list[str]) -> None:  # fmt: skip
        """Adds the people of each image to `results`, or what was wrong with it to `failures`."""
        from anchorpose.io.images import read_image

        for path, stem in progress(list(zip(paths, unique_stems(paths), strict=True)), "detect"):
            try:
                image = read_image(path)
                poses = estimator(image)
            except InputError as error:
                failures.append(str(error))
                continue
            results.append((_text(path), poses))
            if out is not None:
                self._write_image(out, stem, path, image, poses)

    def _write_image(self, out: Path, stem: str, source: Path, image: NDArray[np.uint8], poses: Poses) -> None:
        from anchorpose.io.drawing import draw_result
        from anchorpose.io.files import write_image, write_json
        from anchorpose.io.formats import to_openpose

        # PNG stays PNG because it has no loss; everything else becomes JPEG, which every program shows.
        png = source.suffix.lower() == ".png" or max(image.shape) > _JPEG_LIMIT
        write_image(out / f"{stem}{'.png' if png else '.jpg'}", draw_result(image, poses))
        if self.format == "openpose":
            write_json(out / f"{stem}_keypoints.json", to_openpose(poses))

    def _write_results(self, results: list[tuple[str, Poses]], out: Path | None) -> None:
        from anchorpose.io.files import write_json
        from anchorpose.io.formats import to_anchorpose, to_coco

        if self.format == "openpose":
            return
        data: Any = to_coco(results) if self.format == "coco" else to_anchorpose(results)
        if out is not None:
            write_json(out / "poses.json", data)
        if self.json == "-":
            print(json.dumps(data, allow_nan=False))
        elif self.json is not None:
            write_json(self.json, data)


def _summarise(results: list[tuple[str, Poses]], out: Path | None) -> None:
    people = sum(len(poses) for _, poses in results)
    images = "1 image" if len(results) == 1 else f"{len(results)} images"
    where = f" -> {out}{os.sep}" if out is not None else ""
    print(f"anchorpose: {images}, {people} {'person' if people == 1 else 'people'}{where}", file=sys.stderr)


def unique_stems(paths: list[Path]) -> list[str]:
    """Names for the results, so that a/1.jpg and b/1.jpg do not overwrite each other: `1`, `1_2`.

    Letter case does not count, because some file systems ignore it.
    """
    taken: set[str] = set()
    stems = []
    for path in paths:
        stem, count = path.stem, 1
        while stem.casefold() in taken:
            count += 1
            stem = f"{path.stem}_{count}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _text(path: Path) -> str:
    """The path for JSON, which cannot hold bytes that are no Unicode."""
    return os.fsencode(path).decode("utf-8", "replace")
