"""Users' own pictures: a folder without labels, or a COCO keypoint JSON with any named joints."""

from __future__ import annotations

from pathlib import Path

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.datasets.archives import missing_images
from anchorpose.datasets.coco import read_coco
from anchorpose.datasets.samples import Sample
from anchorpose.evaluation.annotations import load_annotations
from anchorpose.io.sources import expand_sources


def read_folder(folder: str | Path, recursive: bool = False) -> list[Sample]:
    """The pictures of a folder (or one picture, or a glob) in natural order; nobody is labelled.

    Args:
        folder: see `anchorpose.io.sources.expand_sources`.
        recursive: also look in the folders inside.

    Raises:
        InputError: it does not exist or holds no pictures.
    """
    sources = expand_sources([folder], recursive)
    if sources.failures:
        raise InputError(sources.failures[0][1])
    return [Sample(path, (), exhaustive=False) for path in sources.paths]


def read_own(annotations: Path, images: Path | None = None, exhaustive: bool = True) -> list[Sample]:
    """Samples of a user's COCO keypoint JSON, after checks that say what is wrong with it.

    The joints are the category's `keypoints`; those named as in `LCR13` are used, the others are not needed.

    Args:
        annotations: the JSON file.
        images: folder of the photographs; None takes `images` beside the file, or else the file's own folder.
        exhaustive: see `Sample`; False where not everybody in the photographs is labelled.

    Raises:
        InputError: the file is not COCO keypoint JSON, none of its joints is one of `LCR13`, or pictures are missing.
    """
    annotations = Path(annotations)
    skeleton = load_annotations(annotations).skeleton
    if not set(skeleton.joints) & set(LCR13.joints):
        raise InputError(f"{annotations} has the joints {', '.join(skeleton.joints[:6])}, wanted at least one named as "
                         f"in {', '.join(LCR13.joints)}; rename its keypoints")  # fmt: skip
    if images is None:
        beside = annotations.parent / "images"
        images = beside if beside.is_dir() else annotations.parent
    samples = read_coco(annotations, Path(images), exhaustive)
    if missing := missing_images(samples):
        raise InputError(f"{len(missing)} of {len(samples)} pictures of {annotations} are not in {images}, first "
                         f"{missing[0].name}; give the folder that their file_name starts from")  # fmt: skip
    return samples
